// SPDX-License-Identifier: MIT
#include "decode.h"

#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "lib/calls.h"
#include "lib/signals.h"

#define STRING_SHOWN 32 // of memory; paths are shown as far as the kernel does

// --- what pointers point to

// Argument I as it was when the call began (or ended); *N is 0 when nothing is known.
static const char *shown(const struct strace_record *r, unsigned i, size_t *n)
{
	const char *at = (const char *)(r + 1);

	*n = 0;
	if (!r)
		return NULL;
	for (unsigned j = 0; j < i; j++)
		at += r->shown[j];
	*n = r->shown[i];
	return at;
}

static void print_quoted(FILE *to, const char *s, size_t n, bool cut)
{
	fputc('"', to);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '\n')
			fputs("\\n", to);
		else if (c == '\t')
			fputs("\\t", to);
		else if (c == '"' || c == '\\')
			fprintf(to, "\\%c", c);
		else if (isprint(c))
			fputc(c, to);
		else
			fprintf(to,
				i + 1 < n && isdigit((unsigned char)s[i + 1]) ? "\\%03o" : "\\%o",
				c);
	}
	fputs(cut ? "\"..." : "\"", to);
}

static void print_address(FILE *to, int64_t value)
{
	if (value)
		fprintf(to, "%#lx", (unsigned long)value);
	else
		fputs("NULL", to);
}

static void print_time(FILE *to, const int64_t *t)
{
	fprintf(to, "{tv_sec=%ld, tv_nsec=%ld}", (long)t[0], (long)t[1]);
}

static void print_stat(FILE *to, const char *at)
{
	uint32_t mode;
	int64_t size;

	memcpy(&mode, at + 16, sizeof mode);
	memcpy(&size, at + 48, sizeof size);
	fprintf(to, "{st_mode=%#o, st_size=%ld, ...}", mode, (long)size);
}

static void print_words(FILE *to, const char *at, size_t n)
{
	int32_t word;

	for (size_t i = 0; i < n; i++) {
		memcpy(&word, at + i * sizeof word, sizeof word);
		fprintf(to, "%s%d", i ? ", " : "[", word);
	}
	fputc(']', to);
}

// A structure by the type of its pointer; false: it is shown as an address.
static bool print_structure(FILE *to, const struct call_arg *arg, const char *at, size_t n)
{
	int64_t words[2];
	bool pair = strcmp(arg->name, "fds") == 0;

	memcpy(words, at, n < sizeof words ? n : sizeof words);
	if (strstr(arg->type, "struct timespec *") && n >= sizeof words)
		print_time(to, words);
	else if (strcmp(arg->type, "struct stat *") == 0 && n == STRACE_MEMORY)
		print_stat(to, at);
	else if (strcmp(arg->type, "int *") == 0 && n >= sizeof(int32_t) * (pair ? 2 : 1))
		print_words(to, at, pair ? 2 : 1);
	else if (strcmp(arg->type, "off_t *") == 0 && n >= sizeof words[0])
		fprintf(to, "[%ld]", (long)words[0]);
	else
		return false;
	return true;
}

static bool is_bytes(const struct call_arg *arg)
{
	return strcmp(arg->type, "void *") == 0 || strcmp(arg->type, "const void *") == 0 ||
	       strcmp(arg->type, "char *") == 0;
}

// BYTES: how long the memory is as the call has it.
static void print_memory(
	FILE *to, const struct call_arg *arg, int64_t value, const char *at, size_t n, size_t bytes)
{
	size_t most = bytes < n ? bytes : n;

	if (n && is_bytes(arg))
		print_quoted(
			to, at, most < STRING_SHOWN ? most : STRING_SHOWN, bytes > STRING_SHOWN);
	else if (!n || !print_structure(to, arg, at, n))
		print_address(to, value);
}

// --- values that have names

static const struct call_row *names_of(const struct call_row *row, const char *arg)
{
	while ((row = call_more(row)) != NULL)
		if (row->is != ROW_ERRORS && strcmp(row->name, arg) == 0)
			return row;
	return NULL;
}

static bool print_value(FILE *to, const struct call_row *call, const char *arg, uint64_t value)
{
	const char *name;
	int len;

	for (const struct call_row *row = call; (row = names_of(row, arg)) != NULL;) {
		for (size_t i = 0; row->is != ROW_BITS && i < row->n; i++) {
			if ((uint32_t)row->values[i] != (uint32_t)value)
				continue;
			name = call_name_of(row, i, &len);
			fprintf(to, "%.*s", len, name);
			return true;
		}
	}
	return false;
}

// The bits of a value that have names: prints them behind what is there already, if asked to, and
// returns what is left.
static uint64_t take_bits(
	FILE *to, const struct call_row *call, const char *arg, uint64_t left, bool first)
{
	const char *name;
	int len;

	for (const struct call_row *row = call; (row = names_of(row, arg)) != NULL;) {
		for (size_t i = 0; row->is == ROW_BITS && i < row->n; i++) {
			uint64_t bit = (uint32_t)row->values[i];

			if ((left & bit) != bit)
				continue;
			left &= ~bit;
			if (!to)
				continue;
			name = call_name_of(row, i, &len);
			fprintf(to, "%s%.*s", first ? "" : "|", len, name);
			first = false;
		}
	}
	return left;
}

// Is 0 a value among others, as O_RDONLY is, and not the name of no bits, as PROT_NONE?
static bool zero_is_value(const struct call_row *call, const char *arg)
{
	const struct call_row *row = names_of(call, arg);

	return row && row->is == ROW_VALUES && row->n > 1 && row->values[0] == 0;
}

// O_WRONLY|O_CREAT: a value and bits.
static void print_named(FILE *to, const struct call_row *call, const char *arg, uint64_t value)
{
	uint64_t whole = (uint32_t)value, left = take_bits(NULL, call, arg, whole, true);
	bool only_bits = !left && left != whole && !zero_is_value(call, arg);

	if (!only_bits && !print_value(to, call, arg, left))
		fprintf(to, "%#lx", (unsigned long)left);
	take_bits(to, call, arg, whole & ~left, only_bits);
}

static void print_signal(FILE *to, int sig)
{
	const char *name = signal_name(sig);

	if (name)
		fprintf(to, "SIG%s", name);
	else
		fprintf(to, "%d", sig);
}

// --- arguments

static void print_number(
	FILE *to, const struct call_row *call, const struct call_arg *arg, int64_t value)
{
	switch (arg->kind) {
	case ARG_SIG:
		print_signal(to, (int)value);
		break;
	case ARG_MODE:
		fprintf(to, "%#o", (unsigned)value);
		break;
	case ARG_FD:
		if ((int)value == AT_FDCWD)
			fputs("AT_FDCWD", to);
		else
			fprintf(to, "%d", (int)value);
		break;
	case ARG_SIZE:
		fprintf(to, "%lu", (unsigned long)value);
		break;
	case ARG_LONG:
		fprintf(to, value < 0 || value > 65535 ? "%#lx" : "%ld", (long)value);
		break;
	case ARG_OFF:
		fprintf(to, "%ld", (long)value);
		break;
	default:
		if (names_of(call, arg->name))
			print_named(to, call, arg->name, (uint64_t)value);
		else if (arg->kind == ARG_FLAGS)
			fprintf(to, "%#x", (unsigned)value);
		else
			fprintf(to, arg->kind == ARG_UINT ? "%u" : "%d", (int)value);
	}
}

// The number of bytes that a buffer has: the argument behind it, or what came of it.
static size_t bytes_of(
	const struct call_row *call, unsigned i, const struct strace_record *enter, int64_t result)
{
	enum arg_kind next = call->args[i + 1].kind;

	if (call->args[i].kind == ARG_OUT)
		return result > 0 ? (size_t)result : 0;
	return next == ARG_SIZE || next == ARG_INT ? (size_t)enter->values[i + 1] : STRACE_MEMORY;
}

static void print_argument(FILE *to, const struct call_row *call, unsigned i,
	const struct strace_record *enter, const struct strace_record *exit)
{
	const struct call_arg *arg = &call->args[i];
	int64_t value = enter->values[i], result = exit ? exit->values[0] : -1;
	size_t n, bytes = bytes_of(call, i, enter, result);
	const char *at = shown(
		arg->kind == ARG_OUT || (arg->kind == ARG_INOUT && exit) ? exit : enter, i, &n);

	switch (arg->kind) {
	case ARG_PATH:
	case ARG_STR:
		if (!n)
			print_address(to, value);
		else
			print_quoted(to, at, strnlen(at, n), n == STRACE_STRING && at[n - 1]);
		break;
	case ARG_IN:
	case ARG_OUT:
	case ARG_INOUT:
		print_memory(to, arg, value, at, n, bytes);
		break;
	case ARG_ADDR:
		print_address(to, value);
		break;
	default:
		print_number(to, call, arg, value);
	}
}

// --- results

// The rows of errors have the names of all.
static void print_error(FILE *to, int error)
{
	const char *name;
	int len;

	for (const struct call_row *row = call_rows; row->is != ROW_END; row++) {
		for (size_t i = 0; row->is == ROW_ERRORS && i < row->n; i++) {
			if (row->values[i] != error)
				continue;
			name = call_name_of(row, i, &len);
			fprintf(to, "-1 %.*s (%s)", len, name, strerror(error));
			return;
		}
	}
	fprintf(to, "-1 error %d (%s)", error, strerror(error));
}

static void print_result(FILE *to, int number, int64_t result)
{
	if (result < 0 && result >= -4095)
		print_error(to, (int)-result);
	else if (number == SYS_mmap || number == SYS_brk || number == SYS_mremap)
		fprintf(to, "%#lx", (unsigned long)result);
	else
		fprintf(to, "%ld", (long)result);
}

void print_call(FILE *to, const struct strace_record *enter, const struct strace_record *exit)
{
	const struct call_row *call = call_of((long)enter->number);
	bool known = call && call->is == ROW_CALL;

	if (call)
		fprintf(to, "%s(", call->name);
	else
		fprintf(to, "syscall_%lu(", (unsigned long)enter->number);
	for (unsigned i = 0; i < STRACE_ARGS && (!known || call->args[i].kind != ARG_NONE); i++) {
		fputs(i ? ", " : "", to);
		if (known)
			print_argument(to, call, i, enter, exit);
		else
			fprintf(to, "%#lx", (unsigned long)enter->values[i]);
	}
	fputs(") = ", to);
	if (exit)
		print_result(to, (int)enter->number, exit->values[0]);
	else
		fputc('?', to);
}
