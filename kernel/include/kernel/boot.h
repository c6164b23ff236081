// SPDX-License-Identifier: MIT
/*
 * The kernel command line and the order of start-up (kernel/main.c).
 *
 *	init=PATH	the first program; /bin/init
 *	root=NAME	the block device of the root; vda, else ram0
 *	norandmaps	no address-space randomization
 *	marker		say on the console where init's output begins (tools/run)
 *	earlylog	log to the console from the first line on
 *	ramdisk=SIZE	a RAM disk ram0 of zeros; without it, the initrd if there is one
 *	idle=MS		a hart idles at most so long at a time (QEMU's instruction clock needs it)
 *	selftest[=NAME]	run the kernel's own tests instead of init (kernel/test); seed=N,
 *			scratch=DEVICE
 *	plant=BUG	commit a bug that a debug build must catch (kernel/test)
 *	strayharts	(debug builds) secondary harts come in by the boot hart's door, as a race in
 *			the firmware may have it (arch/riscv/boot.S)
 *	-- WORD...	arguments of init
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
