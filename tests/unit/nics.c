/* SPDX-License-Identifier: MIT */
/* The interfaces of a packet socket: found by their index, kept for a while when gone, back to life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "capture/nics.h"

static void check_indices(const struct nics *s, const uint32_t *wanted, size_t n)
{
	size_t got;
	uint32_t *index = nics_indices(s, &got);

	assert_int_equal(got, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(index[i], wanted[i]);
	free(index);
}

static void sorts_them(void **state)
{
	struct nics s = {0};
	uint32_t index = 1, wanted[100];

	(void)state;
	check_indices(&s, NULL, 0);
	for (size_t i = 0; i < 100; i++) {
		index = index * 2 % 101;
		wanted[i] = (uint32_t)i + 1;
		assert_null(nics_find(&s, index));
		assert_non_null(nics_add(&s, index, "x"));
		assert_int_equal(nics_find(&s, index)->iface.index, index);
	}
	check_indices(&s, wanted, 100);
	nics_release(&s);
}

static void forgets_them_late(void **state)
{
	struct nics s = {0};

	(void)state;
	nics_add(&s, 7, "seven")->gone_ns = 1000;
	nics_add(&s, 3, "three");
	nics_add(&s, 5, "five")->failed = true;
	check_indices(&s, (uint32_t[]){3}, 1);
	nics_reap(&s, 1000);
	assert_string_equal(nics_find(&s, 7)->iface.name, "seven");
	nics_reap(&s, 1001);
	assert_null(nics_find(&s, 7));
	assert_int_equal(s.n, 2);
	nics_find(&s, 3)->gone_ns = 2000;
	assert_false(nics_add(&s, 3, "three again")->gone_ns);
	assert_string_equal(nics_find(&s, 3)->iface.name, "three again");
	nics_reap(&s, 9000);
	check_indices(&s, (uint32_t[]){3}, 1);
	nics_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorts_them),
		cmocka_unit_test(forgets_them_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
