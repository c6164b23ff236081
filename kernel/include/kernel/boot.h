// SPDX-License-Identifier: MIT
/*
 * The kernel command line and the order of start-up (kernel/main.c).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Once, before the others: the text is cut into words in place, and kept. */
void boot_set_line(char *text);

/* Is the word there, before "--"? */
bool boot_has(const char *word);
/* The text after "name=" of the last such word before "--", or NULL. Ended by a terminator. */
const char *boot_value(const char *name);
/* A size with suffix K, M or G after "name="; fallback when absent or malformed. */
size_t boot_size(const char *name, size_t fallback);
/* The i-th word after "--", or NULL: init's arguments. */
const char *boot_init_arg(unsigned i);

/* The i-th of all words, "--" included, or NULL. */
const char *boot_word(unsigned i);
