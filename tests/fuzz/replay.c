/* SPDX-License-Identifier: MIT */
/* Feeds files to a fuzz target, so that its corpus is a test in every build. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* An exact-size block, so that a sanitizer sees the first byte read beyond it. */
static int feed(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	long n = -1;

	if (file && fseek(file, 0, SEEK_END) == 0)
		n = ftell(file);
	if (n >= 0)
		data = malloc((size_t)n);
	if (!data || fseek(file, 0, SEEK_SET) != 0 || fread(data, 1, (size_t)n, file) != (size_t)n) {
		perror(path);
		return 1;
	}
	fclose(file);
	LLVMFuzzerTestOneInput(data, (size_t)n);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	int failed = argc < 2;

	for (int i = 1; i < argc; i++)
		failed |= feed(argv[i]);
	printf("%d inputs\n", argc - 1);
	return failed;
}
