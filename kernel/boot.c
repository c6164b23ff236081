// SPDX-License-Identifier: MIT
/*
 * The command line: words separated by blanks; "--" ends the kernel's and begins init's.
 */
#include <kernel/boot.h>
#include <kernel/panic.h>
#include <string.h>

#define MAX_WORDS 128

static const char *words[MAX_WORDS];
static unsigned n_words;
static unsigned n_kernel; /* words before "--" */

void boot_set_line(char *text)
{
	while (true) {
		while (*text == ' ')
			text++;
		if (!*text)
			break;
		if (n_words == MAX_WORDS)
			panic("more than %u words on the command line", MAX_WORDS);
		words[n_words++] = text;
		while (*text && *text != ' ')
			text++;
		if (*text)
			*text++ = '\0';
	}
	while (n_kernel < n_words && strcmp(words[n_kernel], "--") != 0)
		n_kernel++;
}

bool boot_has(const char *word)
{
	for (unsigned i = 0; i < n_kernel; i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

const char *boot_value(const char *name)
{
	size_t n = strlen(name);

	for (unsigned i = n_kernel; i-- > 0;)
		if (strncmp(words[i], name, n) == 0 && words[i][n] == '=')
			return words[i] + n + 1;
	return NULL;
}

size_t boot_size(const char *name, size_t fallback)
{
	const char *at = boot_value(name);
	size_t size = 0;

	if (!at || *at < '0' || *at > '9')
		return fallback;
	for (; *at >= '0' && *at <= '9'; at++)
		size = size * 10 + (size_t)(*at - '0');
	if (*at == 'K')
		return size << 10;
	if (*at == 'M')
		return size << 20;
	if (*at == 'G')
		return size << 30;
	return *at ? fallback : size;
}

const char *boot_init_arg(unsigned i)
{
	return n_kernel + 1 + i < n_words ? words[n_kernel + 1 + i] : NULL;
}

const char *boot_word(unsigned i)
{
	return i < n_words ? words[i] : NULL;
}
