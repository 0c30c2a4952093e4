/* SPDX-License-Identifier: MIT */
/*
 * librdkafka's mock cluster as a process. Prints the addresses of its brokers, then obeys lines on standard input, says so of
 * each, and ends with them: "down" and "up" (all brokers), "fail N" (the next N requests to produce), "deny N", "large N" and
 * "bad N" (as if the topic forbade it, a batch were too large, or a record in it not valid), "rtt MS" (an answer takes so long).
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BROKERS    2
#define PARTITIONS 4
#define PRODUCE    0 /* the API key of Kafka's protocol */

static const struct {
	const char *order;
	rd_kafka_resp_err_t err;
} failures[] = {
	{"fail", RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION},
	{"deny", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED},
	{"large", RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE},
	{"bad", RD_KAFKA_RESP_ERR_INVALID_RECORD},
};

static void fail(rd_kafka_mock_cluster_t *cluster, const char *order, int n)
{
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		for (int k = 0; k < n && strcmp(failures[i].order, order) == 0; k++)
			rd_kafka_mock_push_request_errors(cluster, PRODUCE, 1, failures[i].err);
}

int main(void)
{
	rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), NULL, 0);
	rd_kafka_mock_cluster_t *cluster = client ? rd_kafka_mock_cluster_new(client, BROKERS) : NULL;
	char line[64], order[64];
	int n;

	if (!cluster)
		return 1;
	rd_kafka_mock_topic_create(cluster, "perisco", PARTITIONS, 1);
	printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		for (int broker = 1; broker <= BROKERS; broker++)
			if (strcmp(line, "down\n") == 0)
				rd_kafka_mock_broker_set_down(cluster, broker);
			else if (strcmp(line, "up\n") == 0)
				rd_kafka_mock_broker_set_up(cluster, broker);
		for (int broker = 1; broker <= BROKERS && strncmp(line, "rtt ", 4) == 0; broker++)
			rd_kafka_mock_broker_set_rtt(cluster, broker, atoi(line + 4));
		if (sscanf(line, "%63s %d", order, &n) == 2)
			fail(cluster, order, n);
		puts("obeyed");
		fflush(stdout);
	}
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(client);
	return 0;
}
