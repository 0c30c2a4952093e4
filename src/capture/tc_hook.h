/* SPDX-License-Identifier: MIT */
/* The two programs at one interface, each first in its chain: by a TCX link, or as a filter of clsact; the way in by XDP, too. */
#ifndef PERISCO_CAPTURE_TC_HOOK_H
#define PERISCO_CAPTURE_TC_HOOK_H

#include "capture/live.h"
#include "capture/tc_clsact.h"
#include "capture/tc_xdp.h"

/* Descriptors, by whether packets begin with the IP header, and by way; those for the way in by XDP are > 0 if there are any. */
struct hook_programs {
	int fd[2][WAYS];
	int xdp[MODES];
};

struct hooks {
	bool tcx;
	struct hook_programs programs; /* borrowed */
	struct clsact *clsact;         /* to clean up; with TCX nothing else */
};

/* What hangs at one interface. */
struct hook {
	int link[WAYS]; /* TCX, XDP: descriptors; 0: none. Closing them, by us or by our death, takes the programs off. */
	struct clsact_filter filter[WAYS];
};

/* 0 or a negative errno: -EOPNOTSUPP when the kernel lacks what `how` asks for. Release it in both cases. */
int hooks_init(struct hooks *h, enum live_hook how, const struct hook_programs *programs);
void hooks_release(struct hooks *h);

/* "tcx" or "tc", as the option has it: what is used where XDP is not. */
const char *hooks_name(const struct hooks *h);

/*
 * Attaches one program; `l3`: to an interface without Ethernet headers. 0 or a negative errno: -ENODEV when the
 * interface is gone; see clsact_attach.
 */
int hook_attach(struct hooks *h, struct hook *k, uint32_t ifindex, bool l3, enum way way);

/*
 * Attaches the program for the way in by XDP, where there is one: natively, or else, and always if that is what is asked for,
 * in generic mode. Never displaces another program. 0 with the mode in `how`, or a negative errno with the reason there.
 */
int hook_attach_xdp(struct hooks *h, struct hook *k, uint32_t ifindex, bool generic, char *how, size_t n);

/* Something hangs there. */
bool hook_any(const struct hook *k);

/* Another one's filter comes before ours and may hide packets from us: its priority was ours to take. */
bool hook_is_behind(const struct hook *k);

/* Takes both programs off. `gone`: the interface is not there any more. */
void hook_detach(struct hooks *h, struct hook *k, uint32_t ifindex, bool gone);

#endif
