/* SPDX-License-Identifier: MIT */
/* A disk that is full, here a limit for any file of the process, which says so too. Of cmocka, which is included before. */
#ifndef PERISCO_TESTS_FILE_LIMIT_H
#define PERISCO_TESTS_FILE_LIMIT_H

#include <signal.h>
#include <sys/resource.h>

/* No file grows beyond so many bytes; RLIM_INFINITY: there is room again. SIGXFSZ is ignored. */
static inline void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

#endif
