/* SPDX-License-Identifier: MIT */
/* What every process tells of itself, under the names that Prometheus' own clients use. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "metrics/page.h"

#define SECOND UINT64_C(1000000000)

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* Since the epoch; the kernel tells it since the boot, in ticks: field 22, the 20th behind the name, which may hold anything. */
static uint64_t start_ns(void)
{
	uint64_t ticks = 0, hz = (uint64_t)sysconf(_SC_CLK_TCK);
	struct timespec wall, boot;
	char line[1024] = "";
	FILE *f = fopen("/proc/self/stat", "re");
	const char *at = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;

	if (f)
		fclose(f);
	for (unsigned i = 0; at && i < 20; i++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, "%" SCNu64, &ticks) != 1)
		return 0;
	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	return (uint64_t)(wall.tv_sec - boot.tv_sec) * SECOND + (uint64_t)wall.tv_nsec - (uint64_t)boot.tv_nsec +
	       ticks * (SECOND / hz);
}

static void put_memory(struct page *p)
{
	uint64_t virtual = 0, resident = 0, size = (uint64_t)sysconf(_SC_PAGESIZE);
	FILE *f = fopen("/proc/self/statm", "re");

	if (f && fscanf(f, "%" SCNu64 " %" SCNu64, &virtual, &resident) != 2)
		virtual = resident = 0;
	if (f)
		fclose(f);
	page_one(p, METRIC_RESIDENT, resident * size);
	page_one(p, METRIC_VIRTUAL, virtual * size);
}

static uint64_t open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	uint64_t n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n > 3 ? n - 3 : 0; /* ".", ".." and the directory's own */
}

void page_process(struct page *p)
{
	const struct slice version[] = {SLICE(PERISCO_VERSION)};
	struct rlimit limit = {0};
	struct page_labels l;

	page_family(p, METRIC_BUILD);
	page_count(p, METRIC_BUILD, "", page_label(&l, METRIC_BUILD, version), 1);
	page_family(p, METRIC_CPU);
	page_seconds(p, METRIC_CPU, "", NULL, cpu_ns());
	put_memory(p);
	page_family(p, METRIC_START);
	page_seconds(p, METRIC_START, "", NULL, start_ns());
	page_one(p, METRIC_FDS, open_files());
	getrlimit(RLIMIT_NOFILE, &limit);
	page_one(p, METRIC_FDS_MAX, limit.rlim_cur);
}
