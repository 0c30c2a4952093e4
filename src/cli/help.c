/* SPDX-License-Identifier: MIT */
#include "cli/help.h"

#include "cli/opt.h"
#include "output/output.h"

static const char *const titles[OPT_GROUPS] = {
	[OPT_INPUT] = "Which packets",
	[OPT_SELECT] = "Which exchanges (all conditions must hold)",
	[OPT_SHOW] = "What to make of them",
	[OPT_SEND] = "Other hosts (-o kafka://HOST/TOPIC, elasticsearch://HOST/INDEX)",
	[OPT_LIMITS] = "Limits (SIZE is in bytes, or with k, M or G)",
	[OPT_TALK] = "Talk",
};

static void print_option(const struct opt *o, FILE *out)
{
	char left[64], letter[] = {'-', o->letter, ',', '\0'};

	snprintf(left, sizeof left, "%3s --%s%s%s", o->letter ? letter : "", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
	fprintf(out, "  %-28s %s\n", left, o->help);
}

static void print_group(enum opt_group group, unsigned command, FILE *out)
{
	fprintf(out, "\n%s:\n", titles[group]);
	for (size_t i = 0; i < opts_n; i++)
		if (opts[i].group == group && (opts[i].commands & command))
			print_option(&opts[i], out);
}

static void print_formats(FILE *out)
{
	char formats[2048] = "";

	outputs_help(formats, sizeof formats);
	fprintf(out, "\nFormats, each to standard output or to a :PATH:\n");
	for (char *line = formats, *end; *line; line = end) {
		end = strchrnul(line, '\n');
		fprintf(out, "  %.*s\n", (int)(end - line), line);
		end += *end == '\n';
	}
}

static void print_examples(unsigned command, FILE *out)
{
	static const char *const examples[][2] = {
		[COMMAND_WATCH] = {"perisco watch port 8080", "perisco watch --status 5xx -o json:/var/log/errors.json -w errors.pcapng"},
		[COMMAND_REPLAY] = {"perisco replay --min-latency 100ms day.pcap", "tcpdump -U -w - port 80 | perisco replay -o json -"},
	};

	fprintf(out, "\nExamples:\n  %s\n  %s\n", examples[command][0], examples[command][1]);
}

static void print_perisco(FILE *out)
{
	fputs("perisco watches HTTP on the wire: one record for each exchange.\n", out);
	for (size_t i = 0; i < commands_n; i++)
		fprintf(out, "\n  perisco %s %s\n\n%s\n", commands[i].name, commands[i].synopsis, commands[i].help);
	fputs("\n'perisco help watch' and 'perisco help replay' list the options; 'perisco help\n"
	      "environment' lists the variables that may stand for them, 'perisco help metrics'\n"
	      "what --metrics tells.\n"
	      "\nExit status:\n",
	      out);
#define X(name, number, help) fprintf(out, "  %d  %s\n", number, help);
	PERISCO_EXITS(X)
#undef X
}

void help_usage(FILE *out)
{
	const char *before = "Usage:";

	for (size_t i = 0; i < commands_n; i++, before = "      ")
		fprintf(out, "%s perisco %s %s\n", before, commands[i].name, commands[i].synopsis);
	fprintf(out, "%s perisco help [command]\n", before);
}

void help_command(unsigned command, FILE *out)
{
	const struct command_info *info;

	if (!command) {
		print_perisco(out);
		return;
	}
	info = command_of(command);
	fprintf(out, "Usage: perisco %s %s\n\n%s\n", info->name, info->synopsis, info->help);
	for (enum opt_group group = 0; group < OPT_GROUPS; group++)
		print_group(group, command, out);
	print_formats(out);
	print_examples(command, out);
}

void help_environment(FILE *out)
{
	char name[OPT_ENV_MAX];

	fputs("Each option may be given by a variable too; the command line wins over it. Yes\n"
	      "or no stands for an option without a value. Where an option may be given more\n"
	      "than once, spaces separate the values.\n\n",
	      out);
	for (size_t i = 0; i < opts_n; i++)
		if (*opt_env(&opts[i], name))
			fprintf(out, "  %-23s --%s%s%s\n", name, opts[i].name, opts[i].arg ? " " : "", opts[i].arg ? opts[i].arg : "");
}
