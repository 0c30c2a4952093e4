/* SPDX-License-Identifier: MIT */
/* What becomes of records for whatever brokers do: librdkafka's mock cluster, in this process. */
#include "sink/kafka.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

#define ITEMS   10
#define PRODUCE 0 /* the API key of Kafka's protocol */
#define BROKER  1 /* of the partition of flow 1; a second one has the other partition */

#define BATCHED "linger.ms=1000&batch.num.messages=10&max.in.flight=1" /* all of them in one batch, however slow the machine */

static rd_kafka_t *client;
static rd_kafka_mock_cluster_t *cluster;
static char why[256]; /* what the last try said */

static int start(void **state)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	(void)state;
	rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
	client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
	cluster = client ? rd_kafka_mock_cluster_new(client, 2) : NULL;
	return cluster && !rd_kafka_mock_topic_create(cluster, "t", 2, 1) &&
		!rd_kafka_mock_partition_set_leader(cluster, "t", 0, BROKER) &&
		!rd_kafka_mock_partition_set_leader(cluster, "t", 1, BROKER + 1) &&
		rd_kafka_brokers_add(client, rd_kafka_mock_cluster_bootstraps(cluster)) ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(client);
	return 0;
}

static struct carrier open_at(const char *hosts, const char *options)
{
	struct carrier ret;
	struct spec spec;
	char text[256], error[256];

	snprintf(text, sizeof(text), "kafka://%s/t?%s", hosts, options);
	assert_int_equal(spec_parse(&spec, text, error, sizeof(error)), 0);
	assert_int_equal(kafka_open(&ret, &spec, error, sizeof(error)), 0);
	spec_release(&spec);
	return ret;
}

static struct carrier open_carrier(void)
{
	return open_at(rd_kafka_mock_cluster_bootstraps(cluster), BATCHED);
}

static void make_items(struct item items[ITEMS])
{
	for (unsigned i = 0; i < ITEMS; i++)
		items[i] = (struct item){(const uint8_t *)"{}\n", 3, 1, 2, 9, i, FATE_OPEN};
}

/* Of many flows: some for each partition. */
static void spread_items(struct item items[ITEMS])
{
	make_items(items);
	for (unsigned i = 0; i < ITEMS; i++)
		items[i].flow_id = i + 1;
}

static void assert_fate(const struct item items[ITEMS], enum fate fate)
{
	for (unsigned i = 0; i < ITEMS; i++)
		assert_int_equal(items[i].fate, fate);
}

static int carry(const struct carrier *k, struct item items[ITEMS], bool in_a_hurry)
{
	atomic_bool hurry = in_a_hurry;

	return k->carry(k->self, items, ITEMS, &hurry, why, sizeof(why));
}

/* As long as it takes. */
static int carry_on(const struct carrier *k, struct item items[ITEMS])
{
	int r;

	do
		r = carry(k, items, false);
	while (r == -EINPROGRESS);
	return r;
}

/* How many messages the topic has. */
static int64_t arrived(void)
{
	int64_t low, high, ret = 0;

	for (int partition = 0; partition < 2; partition++, ret += high)
		assert_int_equal(rd_kafka_query_watermark_offsets(client, "t", partition, &low, &high, 60000), 0);
	return ret;
}

/* A password that would not be used is no password. */
static void test_user(void **state)
{
	static const struct {
		const char *text;
		int r;
	} tries[] = {
		{"kafka://u:p@h/t", -EINVAL},
		{"kafka://h/t?sasl.username=u&sasl.password=p", -EINVAL},
		{"kafka://:p@h/t", -EINVAL},
		{"kafka://h/t?sasl.password=p", -EINVAL},
		{"kafka://u:p@h/t?security.protocol=SSL", -EINVAL},
		{"kafka://u:p@h/t?security.protocol=SASL_SSL", -EINVAL},
		{"kafka://h/t?security.protocol=SASL_SSL&sasl.mechanisms=OAUTHBEARER", -EINVAL},
		{"kafka://h/t?security.protocol=SASL_SSL&sasl.mechanisms=OAUTHBEARER&enable.sasl.oauthbearer.unsecure.jwt=true", 0},
		{"kafka://u:p@h/t?security.protocol=SASL_PLAINTEXT&sasl.mechanisms=PLAIN", 0},
		{"kafka://u:p@h/t?security.protocol=sasl_ssl&sasl.mechanism=SCRAM-SHA-256", 0},
	};
	char error[256];

	(void)state;
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		struct carrier k;
		struct spec spec;

		assert_int_equal(spec_parse(&spec, tries[i].text, error, sizeof(error)), 0);
		error[0] = 0;
		assert_int_equal(kafka_open(&k, &spec, error, sizeof(error)), tries[i].r);
		if (tries[i].r == 0)
			k.close(k.self);
		else
			assert_non_null(strstr(error, " wants "));
		spec_release(&spec);
	}
}

/* What would keep the reports from us is not taken; as it is anyway it may be said. */
static void test_fixed(void **state)
{
	static const struct {
		const char *option;
		int r;
	} tries[] = {
		{"transactional.id=x", -EINVAL},
		{"delivery.report.only.error=true", -EINVAL},
		{"enabled_events=1", -EINVAL},
		{"log.queue=true", -EINVAL},
		{"dr_cb=1", -EINVAL},
		{"dr_msg_cb=1", -EINVAL},
		{"opaque=1", -EINVAL},
		{"delivery.report.only.error=false&acks=1", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		struct carrier k;
		struct spec spec;
		char text[256], error[256];

		snprintf(text, sizeof(text), "kafka://h/t?%s", tries[i].option);
		assert_int_equal(spec_parse(&spec, text, error, sizeof(error)), 0);
		assert_int_equal(kafka_open(&k, &spec, error, sizeof(error)), tries[i].r);
		if (tries[i].r == 0)
			k.close(k.self);
		else
			assert_non_null(memmem(error, strlen(error), tries[i].option, strcspn(tries[i].option, "=")));
		spec_release(&spec);
	}
}

/* Why nobody answers is told, not that somebody does not. */
static void test_probe(void **state)
{
	struct carrier k;

	(void)state;
	k = open_carrier();
	assert_int_equal(k.probe(k.self, why, sizeof(why)), 0);
	k.close(k.self);
	k = open_at("127.0.0.1:1", "acks=1");
	assert_int_equal(k.probe(k.self, why, sizeof(why)), -EHOSTUNREACH);
	assert_non_null(strstr(why, "127.0.0.1:1"));
	k.close(k.self);
}

/* Nor that the time for a message was up; librdkafka does not say it again each time. */
static void test_away(void **state)
{
	const struct {
		const char *hosts, *options, *why;
		int again;
	} tries[] = {
		{"127.0.0.1:1", "message.timeout.ms=500", "Connection refused", 3},
		{rd_kafka_mock_cluster_bootstraps(cluster), "message.timeout.ms=2000&security.protocol=ssl", "SSL handshake failed", 0},
	};
	struct item items[ITEMS];

	(void)state;
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		struct carrier k = open_at(tries[i].hosts, tries[i].options);

		make_items(items);
		*why = 0;
		for (int j = 0; j < 30 && !strstr(why, tries[i].why); j++)
			assert_int_equal(carry_on(&k, items), -EIO);
		for (int j = 0; j < tries[i].again; j++)
			assert_int_equal(carry_on(&k, items), -EIO);
		assert_non_null(strstr(why, tries[i].why));
		assert_null(strstr(why, "(after"));
		assert_fate(items, FATE_OPEN);
		k.close(k.self);
	}
}

/* What is under way is not tried again: it is waited for, and then for the rest of the time. */
static void test_slow_answer(void **state)
{
	struct carrier k = open_carrier();
	struct item items[ITEMS];
	int64_t before;

	(void)state;
	make_items(items);
	assert_int_equal(carry_on(&k, items), 0);
	assert_fate(items, FATE_DELIVERED);
	before = arrived();
	rd_kafka_mock_broker_set_rtt(cluster, BROKER, 7000);
	make_items(items);
	assert_int_equal(carry(&k, items, false), -EINPROGRESS);
	assert_fate(items, FATE_OPEN);
	assert_string_equal(why, "there is no answer");
	assert_int_equal(carry_on(&k, items), 0);
	assert_fate(items, FATE_DELIVERED);
	rd_kafka_mock_broker_set_rtt(cluster, BROKER, 0);
	assert_int_equal(arrived() - before, ITEMS);
	k.close(k.self);
}

/* What librdkafka gives up is to be tried again, when the courier thinks best. */
static void test_given_back(void **state)
{
	struct carrier k = open_carrier();
	struct item items[ITEMS];

	(void)state;
	rd_kafka_mock_push_request_errors(cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	make_items(items);
	assert_int_equal(carry_on(&k, items), -EIO);
	assert_fate(items, FATE_OPEN);
	assert_non_null(strstr(why, "authorization failed"));
	assert_int_equal(carry_on(&k, items), 0);
	assert_fate(items, FATE_DELIVERED);
	k.close(k.self);
}

/* Of a batch that is refused only the record is that is refused alone, and the others come in order. */
static void test_blame(void **state)
{
	static const rd_kafka_resp_err_t errors[] = {
		RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
		RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_POLICY_VIOLATION};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct carrier k = open_at(rd_kafka_mock_cluster_bootstraps(cluster), BATCHED "&batch.size=20000");
		struct item items[ITEMS];
		int64_t before = arrived();

		rd_kafka_mock_push_request_errors(cluster, PRODUCE, 4, errors[i], RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_NO_ERROR,
						  errors[i]);
		make_items(items);
		assert_int_equal(carry_on(&k, items), -EIO);
		assert_fate(items, FATE_OPEN);
		assert_int_equal(carry_on(&k, items), 0);
		for (unsigned j = 0; j < ITEMS; j++)
			assert_int_equal(items[j].fate, j == 2 ? FATE_REFUSED : FATE_DELIVERED);
		assert_string_equal(why, rd_kafka_err2str(errors[i]));
		assert_int_equal(arrived() - before, ITEMS - 1);
		make_items(items); /* together again */
		rd_kafka_mock_push_request_errors(cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
		assert_int_equal(carry_on(&k, items), -EIO);
		assert_fate(items, FATE_OPEN);
		k.close(k.self);
	}
}

/* Only the batch that was refused is sent one by one; the one behind it may have been on its way. */
static void test_blame_of_one_batch(void **state)
{
	struct carrier k = open_at(rd_kafka_mock_cluster_bootstraps(cluster), BATCHED "&batch.num.messages=4&linger.ms=2000");
	struct item items[ITEMS];
	int64_t before = arrived();
	atomic_bool hurry = false;
	size_t n = 4;

	(void)state;
	rd_kafka_mock_push_request_errors(cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_INVALID_RECORD);
	make_items(items);
	assert_int_equal(carry_on(&k, items), -EIO);
	for (unsigned i = 0; i < ITEMS; i++)
		if (i < 4 || i >= 8)
			assert_int_equal(items[i].fate, FATE_OPEN);
		else if (items[i].fate == FATE_OPEN)
			items[n++] = items[i];
	items[n++] = items[8];
	items[n++] = items[9];
	rd_kafka_mock_push_request_errors(cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_INVALID_RECORD);
	do
		assert_int_equal(k.carry(k.self, items, n, &hurry, why, sizeof(why)), -EINPROGRESS);
	while (items[0].fate == FATE_OPEN);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(items[i].fate, i == 0 ? FATE_REFUSED : i < 4 ? FATE_DELIVERED : FATE_OPEN);
	assert_string_equal(why, rd_kafka_err2str(RD_KAFKA_RESP_ERR_INVALID_RECORD));
	while (k.carry(k.self, items + 4, n - 4, &hurry, why, sizeof(why)) == -EINPROGRESS)
		;
	for (unsigned i = 4; i < n; i++)
		assert_int_equal(items[i].fate, FATE_DELIVERED);
	assert_int_equal(arrived() - before, ITEMS - 1);
	k.close(k.self);
}

/* Sent alone, what is given back for now is not overtaken either. */
static void test_blame_and_wait(void **state)
{
	struct carrier k = open_carrier();
	struct item items[ITEMS];

	(void)state;
	rd_kafka_mock_push_request_errors(cluster, PRODUCE, 3, RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_NO_ERROR,
					  RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	make_items(items);
	assert_int_equal(carry_on(&k, items), -EIO);
	assert_int_equal(carry_on(&k, items), -EIO);
	for (unsigned i = 0; i < ITEMS; i++)
		assert_int_equal(items[i].fate, i == 0 ? FATE_DELIVERED : FATE_OPEN);
	assert_non_null(strstr(why, "authorization failed"));
	k.close(k.self);
}

/* What is larger than all of librdkafka's queue would wait for ever. */
static void test_no_room(void **state)
{
	static uint8_t large[5000];
	struct carrier k = open_at(rd_kafka_mock_cluster_bootstraps(cluster), BATCHED "&queue.buffering.max.kbytes=1");
	struct item items[ITEMS];

	(void)state;
	make_items(items);
	items[3].p = memset(large, 'x', sizeof(large));
	items[3].n = sizeof(large);
	assert_int_equal(carry_on(&k, items), 0);
	for (unsigned i = 0; i < ITEMS; i++)
		assert_int_equal(items[i].fate, i == 3 ? FATE_REFUSED : FATE_DELIVERED);
	k.close(k.self);
}

/* A topic that is not there is asked for by its name, waited for, and found. */
static void test_missing(void **state)
{
	struct carrier k = open_carrier();
	struct item items[ITEMS];

	(void)state;
	rd_kafka_mock_topic_set_error(cluster, "t", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	assert_int_equal(k.probe(k.self, why, sizeof(why)), -EHOSTUNREACH);
	assert_non_null(strstr(why, "no topic 't'"));
	make_items(items);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(carry_on(&k, items), -EIO);
		assert_non_null(strstr(why, "no topic 't'"));
		assert_fate(items, FATE_OPEN);
	}
	rd_kafka_mock_topic_set_error(cluster, "t", RD_KAFKA_RESP_ERR_NO_ERROR);
	for (int i = 0; i < 600 && carry(&k, items, false) != 0; i++)
		usleep(100000);
	assert_fate(items, FATE_DELIVERED);
	k.close(k.self);
}

/* In a hurry all of it is taken back. */
static void test_hurry(void **state)
{
	struct carrier k = open_carrier();
	struct item items[ITEMS];
	uint64_t begun;

	(void)state;
	rd_kafka_mock_broker_set_down(cluster, BROKER);
	make_items(items);
	assert_int_equal(carry(&k, items, false), -EINPROGRESS);
	begun = clock_ms();
	assert_int_equal(carry(&k, items, true), -EIO);
	assert_true(clock_ms() - begun < 4000); /* it has 5 s else */
	assert_fate(items, FATE_OPEN);
	rd_kafka_mock_broker_set_up(cluster, BROKER);
	k.close(k.self);
}

/* What the other broker has already is not sent again. Last: a broker of which errors were asked has no ear for those of all. */
static void test_other_broker(void **state)
{
	struct carrier k = open_carrier();
	struct item items[ITEMS];
	atomic_bool hurry = false;
	int64_t before = arrived();
	size_t open = 0;

	(void)state;
	spread_items(items);
	assert_int_equal(carry_on(&k, items), 0);
	spread_items(items);
	rd_kafka_mock_broker_set_rtt(cluster, BROKER + 1, 3000); /* by then the error is known, which is not before both have it */
	rd_kafka_mock_broker_push_request_error_rtts(cluster, BROKER, PRODUCE, 1, RD_KAFKA_RESP_ERR_INVALID_RECORD, 1000);
	assert_int_equal(carry_on(&k, items), -EIO);
	rd_kafka_mock_broker_set_rtt(cluster, BROKER + 1, 0);
	for (size_t i = 0; i < ITEMS; i++)
		if (items[i].fate == FATE_OPEN)
			items[open++] = items[i];
	assert_in_range(open, 1, ITEMS - 1);
	assert_int_equal(k.carry(k.self, items, open, &hurry, why, sizeof(why)), 0);
	assert_int_equal(arrived() - before, 2 * ITEMS);
	k.close(k.self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_away),
		cmocka_unit_test(test_slow_answer),
		cmocka_unit_test(test_given_back),
		cmocka_unit_test(test_blame),
		cmocka_unit_test(test_blame_of_one_batch),
		cmocka_unit_test(test_blame_and_wait),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_hurry),
		cmocka_unit_test(test_other_broker),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
