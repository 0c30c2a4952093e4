/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The TC classifiers, one for each way. They only look: every packet goes on to the next program, filter or hook as if
 * we were not there (-1 is TCX_NEXT and TC_ACT_UNSPEC).
 */
#include "hook.bpf.h"

#include "capture.bpf.h"

#define NEXT (-1)

SEC("tc")
int perisco_in(struct __sk_buff *skb)
{
	capture(skb, EVENT_IN);
	return NEXT;
}

SEC("tc")
int perisco_out(struct __sk_buff *skb)
{
	capture(skb, EVENT_OUT);
	return NEXT;
}

char _license[] SEC("license") = "GPL";
