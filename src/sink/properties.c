/* SPDX-License-Identifier: MIT */
#include "sink/properties.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define IDEMPOTENCE "enable.idempotence"
#define GAPLESS     "enable.gapless.guarantee"

/*
 * Any of them may be given with the target. Idempotence, and no time limit: what librdkafka itself sends again comes in order, and
 * not twice. What it gives up stops it, so that nothing overtakes it.
 */
static const char *const defaults[][2] = {
	{"client.id", "perisco"},
	{IDEMPOTENCE, "true"},
	{GAPLESS, "true"},
	{"compression.type", "lz4"},
	{"partitioner", "murmur2_random"}, /* as Java's clients have it */
	{"linger.ms", "5"},
	{"message.timeout.ms", "0"},
	{"reconnect.backoff.max.ms", "2000"},
	{"topic.metadata.propagation.max.ms", "2000"}, /* then it is told that there is no topic */
};

/* With any other value nobody would hear what became of a record, or logs that nobody reads would pile up. */
static const char *const fixed[][2] = {
	{"delivery.report.only.error", "false"},
	{"enabled_events", "0"},
	{"log.queue", "false"},
	{"transactional.id", ""},
};

int properties_set(rd_kafka_conf_t *conf, const char *key, const char *value, char *error, size_t n)
{
	char why[240];

	if (rd_kafka_conf_set(conf, key, value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
		return 0;
	snprintf(error, n, "kafka: %s", why);
	return -EINVAL;
}

const char *properties_get(const rd_kafka_conf_t *conf, const char *key, char *value, size_t n)
{
	return rd_kafka_conf_get(conf, key, value, &n) == RD_KAFKA_CONF_OK ? value : "";
}

/* librdkafka says nothing of a password that it does not use, and takes Kerberos if no mechanism is named. */
static int check_user(const rd_kafka_conf_t *conf, char *error, size_t n)
{
	char value[256];
	bool user = *properties_get(conf, "sasl.username", value, sizeof(value));

	if (!user && !*properties_get(conf, "sasl.password", value, sizeof(value)))
		return 0;
	if (!user) {
		snprintf(error, n, "kafka: a password wants a user");
		return -EINVAL;
	}
	if (strncasecmp(properties_get(conf, "security.protocol", value, sizeof(value)), "sasl_", 5) != 0) {
		snprintf(error, n, "kafka: a user wants security.protocol=SASL_SSL (or SASL_PLAINTEXT)");
		return -EINVAL;
	}
	if (strcasecmp(properties_get(conf, "sasl.mechanisms", value, sizeof(value)), "GSSAPI") == 0) {
		snprintf(error, n, "kafka: a user wants sasl.mechanisms=PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512");
		return -EINVAL;
	}
	return 0;
}

/* librdkafka waits for ever for a token that nobody gets. */
static int check_token(const rd_kafka_conf_t *conf, char *error, size_t n)
{
	char value[256];

	if (strcasecmp(properties_get(conf, "sasl.mechanisms", value, sizeof(value)), "OAUTHBEARER") != 0 ||
	    strcmp(properties_get(conf, "sasl.oauthbearer.method", value, sizeof(value)), "default") != 0 ||
	    strcmp(properties_get(conf, "enable.sasl.oauthbearer.unsecure.jwt", value, sizeof(value)), "true") == 0)
		return 0;
	snprintf(error, n, "kafka: OAUTHBEARER wants sasl.oauthbearer.method=oidc");
	return -EINVAL;
}

static int check_fixed(const rd_kafka_conf_t *conf, char *error, size_t n)
{
	char value[256];

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		if (strcmp(properties_get(conf, fixed[i][0], value, sizeof(value)), fixed[i][1]) == 0)
			continue;
		snprintf(error, n, "kafka: %s cannot be set, or perisco would not hear what becomes of records", fixed[i][0]);
		return -EINVAL;
	}
	return 0;
}

/* Leaves out of the defaults what does not go together with what was said. */
static int conclude(rd_kafka_conf_t *conf, struct spec *spec, char *error, size_t n)
{
	char value[32];
	int r = check_user(conf, error, n);

	r = r ? r : check_token(conf, error, n);
	r = r ? r : check_fixed(conf, error, n);
	if (r == 0 && strcmp(properties_get(conf, "acks", value, sizeof(value)), "-1") != 0 && !spec_get(spec, IDEMPOTENCE, NULL))
		r = properties_set(conf, IDEMPOTENCE, "false", error, n);
	if (r == 0 && strcmp(properties_get(conf, IDEMPOTENCE, value, sizeof(value)), "true") != 0 && !spec_get(spec, GAPLESS, NULL))
		r = properties_set(conf, GAPLESS, "false", error, n);
	return r;
}

static int set_all(rd_kafka_conf_t *conf, struct spec *spec, char *error, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]) && r == 0; i++)
		r = properties_set(conf, defaults[i][0], defaults[i][1], error, n);
	r = r ? r : properties_set(conf, "bootstrap.servers", spec->hosts, error, n);
	if (spec->user && r == 0)
		r = properties_set(conf, "sasl.username", spec->user, error, n);
	if (spec->password && r == 0)
		r = properties_set(conf, "sasl.password", spec->password, error, n);
	for (size_t i = 0; i < spec->n_options && r == 0; i++) {
		if (spec->options[i].used)
			continue;
		spec->options[i].used = true;
		r = properties_set(conf, spec->options[i].key, spec->options[i].value, error, n);
	}
	return r ? r : conclude(conf, spec, error, n);
}

rd_kafka_conf_t *properties_of(struct spec *spec, char *error, size_t n)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	if (set_all(conf, spec, error, n) == 0)
		return conf;
	rd_kafka_conf_destroy(conf);
	return NULL;
}
