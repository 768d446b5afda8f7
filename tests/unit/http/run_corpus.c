/* SPDX-License-Identifier: Apache-2.0 */
/* run_corpus.c - runs a fuzz target over files, so that what the fuzzer once found is tested by every build. */
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "re");
		uint8_t *data = malloc(1 << 20);
		size_t n;

		if (!f || !data)
			return 2;
		n = fread(data, 1, 1 << 20, f);
		fclose(f);
		data = realloc(data, n ? n : 1); /* so that the sanitizers see its end */
		if (!data)
			return 2;
		LLVMFuzzerTestOneInput(data, n);
		free(data);
	}
	printf("%d files\n", argc - 1);
	return argc > 1 ? 0 : 2;
}
