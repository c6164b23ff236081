// SPDX-License-Identifier: MIT
/*
 * The device tree reader: a tree made here is read back; each damaged copy of it is survived, and
 * the sanitizers see that nothing outside the blob was read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <drivers/fdt.h>

#define LAST_NAME "wide" /* its string is the last */

struct builder {
	uint8_t structs[2048], strings[512];
	uint32_t n_structs, n_strings;
};

static void put32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void cell(struct builder *b, uint32_t value)
{
	put32(b->structs + b->n_structs, value);
	b->n_structs += 4;
}

static void bytes(struct builder *b, const void *data, size_t n)
{
	memcpy(b->structs + b->n_structs, data, n);
	b->n_structs += (uint32_t)(n + 3) & ~3u;
}

static void begin(struct builder *b, const char *name)
{
	cell(b, 1);
	bytes(b, name, strlen(name) + 1);
}

static void end(struct builder *b)
{
	cell(b, 2);
}

static void prop(struct builder *b, const char *name, const void *data, size_t n)
{
	cell(b, 3);
	cell(b, (uint32_t)n);
	cell(b, b->n_strings);
	strcpy((char *)b->strings + b->n_strings, name);
	b->n_strings += (uint32_t)strlen(name) + 1;
	bytes(b, data, n);
}

static void prop_cells(struct builder *b, const char *name, unsigned n, ...)
{
	uint8_t data[64];
	va_list args;

	va_start(args, n);
	for (unsigned i = 0; i < n; i++)
		put32(data + i * 4, va_arg(args, uint32_t));
	va_end(args);
	prop(b, name, data, n * 4);
}

/*
 * The whole blob, malloc()ed to its exact size so that a read past it is seen. Which of the two
 * blocks is the last decides which mistakes lead out of it.
 */
static uint8_t *make_tree(size_t *size, bool structs_last)
{
	struct builder b = {0};
	uint32_t structs = 40 + 32, strings;
	uint8_t *blob;

	begin(&b, "");
	prop_cells(&b, "#address-cells", 1, 2);
	prop_cells(&b, "#size-cells", 1, 2);
	begin(&b, "memory@80000000");
	prop(&b, "device_type", "memory", 7);
	prop_cells(&b, "reg", 8, 0, 0x80000000, 0, 0x8000000, 1, 0, 0, 0x1000);
	end(&b);
	cell(&b, 4); /* a NOP between nodes */
	begin(&b, "soc");
	prop_cells(&b, "#address-cells", 1, 1);
	prop_cells(&b, "#size-cells", 1, 1);
	begin(&b, "uart@10000000");
	prop(&b, "compatible", "vendor,special\0ns16550a", 24);
	prop_cells(&b, "reg", 2, 0x10000000, 0x100);
	prop(&b, "status", "okay", 5);
	end(&b);
	begin(&b, "rtc@101000");
	prop(&b, "compatible", "ns16550", 8);
	prop(&b, "status", "disabled", 9);
	end(&b);
	end(&b);
	begin(&b, "chosen");
	prop(&b, "bootargs", "a b", 4);
	prop(&b, "unended", "abc", 3);
	prop_cells(&b, LAST_NAME, 2, 1, 2);
	end(&b);
	end(&b);
	cell(&b, 9);
	/* the last name ends where the block does, on a multiple of 4 */
	assert_int_equal(b.n_strings % 4, 0);
	strings = structs + b.n_structs;
	if (structs_last) {
		strings = structs;
		structs = strings + b.n_strings;
	}
	*size = 40 + 32 + b.n_structs + b.n_strings;
	blob = calloc(1, *size);
	assert_non_null(blob);
	put32(blob, 0xd00dfeed);
	put32(blob + 4, (uint32_t)*size);
	put32(blob + 8, structs);
	put32(blob + 12, strings);
	put32(blob + 16, 40);
	put32(blob + 20, 17);
	put32(blob + 24, 16);
	put32(blob + 32, b.n_strings);
	put32(blob + 36, b.n_structs);
	put32(blob + 44, 0x1000); /* one reservation, then the end */
	put32(blob + 52, 0x200);
	memcpy(blob + structs, b.structs, b.n_structs);
	memcpy(blob + strings, b.strings, b.n_strings);
	return blob;
}

static void test_read(void **state)
{
	size_t size;
	uint8_t *blob = make_tree(&size, false);
	uint64_t address, length, number;
	uint32_t value;
	static const char *const wanted[] = {"vendor,spec", "ns16550a"};
	fdt_node_t node, found[2];
	struct fdt fdt;

	(void)state;
	assert_int_equal(fdt_open(&fdt, blob, size), 0);
	node = fdt_find(&fdt, "/memory");
	assert_string_equal(fdt_name(&fdt, node), "memory@80000000");
	assert_true(fdt_reg(&fdt, fdt_root(&fdt), node, 1, &address, &length));
	assert_int_equal(address, 1UL << 32);
	assert_int_equal(length, 0x1000);
	assert_false(fdt_reg(&fdt, fdt_root(&fdt), node, 2, &address, &length));
	node = fdt_find_compatible(&fdt, FDT_NONE, "ns16550a");
	assert_int_equal(node, fdt_find(&fdt, "/soc/uart@10000000"));
	fdt_find_first(&fdt, wanted, found, 2);
	assert_int_equal(found[0], FDT_NONE);
	assert_int_equal(found[1], node);
	assert_true(fdt_reg(&fdt, fdt_find(&fdt, "/soc"), node, 0, &address, &length));
	assert_int_equal(address, 0x10000000);
	assert_true(fdt_enabled(&fdt, node));
	assert_int_equal(fdt_find_compatible(&fdt, node, "ns16550a"), FDT_NONE);
	node = fdt_next_sibling(&fdt, node);
	assert_string_equal(fdt_name(&fdt, node), "rtc@101000");
	assert_false(fdt_enabled(&fdt, node));
	assert_int_equal(fdt_next_sibling(&fdt, node), FDT_NONE);
	assert_int_equal(fdt_first_child(&fdt, node), FDT_NONE);
	assert_string_equal(fdt_name(&fdt, fdt_next(&fdt, node)), "chosen");
	node = fdt_find(&fdt, "/chosen");
	assert_string_equal(fdt_string(&fdt, node, "bootargs"), "a b");
	assert_null(fdt_string(&fdt, node, "unended"));
	assert_null(fdt_string(&fdt, node, "absent"));
	assert_true(fdt_number(&fdt, node, LAST_NAME, &number));
	assert_int_equal(number, 1UL << 32 | 2);
	assert_true(fdt_cell(&fdt, node, LAST_NAME, 1, &value));
	assert_false(fdt_cell(&fdt, node, LAST_NAME, 2, &value));
	assert_int_equal(fdt_find(&fdt, "/soc/nothing"), FDT_NONE);
	assert_true(fdt_reservation(&fdt, 0, &address, &length));
	assert_int_equal(address, 0x1000);
	assert_int_equal(length, 0x200);
	assert_false(fdt_reservation(&fdt, 1, &address, &length));
	free(blob);
}

static bool opens_with(size_t at, uint8_t byte)
{
	size_t size;
	uint8_t *blob = make_tree(&size, true);
	struct fdt fdt;
	bool opens;

	blob[at] = byte;
	opens = fdt_open(&fdt, blob, size) == 0;
	free(blob);
	return opens;
}

static void test_refused(void **state)
{
	size_t size;
	uint8_t *blob = make_tree(&size, true);
	struct fdt fdt;
	uint32_t bytes;
	const char *bootargs;
	size_t name, value;

	(void)state;
	assert_int_equal(fdt_open(&fdt, blob, size), 0);
	bootargs = fdt_property(&fdt, fdt_find(&fdt, "/chosen"), "bootargs", &bytes);
	value = (size_t)((const uint8_t *)bootargs - blob);
	name = fdt_find(&fdt, "/memory");
	assert_true(opens_with(value, 'c'));                /* what a value is, is not looked at */
	assert_false(opens_with(value - 8, 1));             /* its length */
	assert_false(opens_with(value - 4, 1));             /* where its name is */
	assert_false(opens_with(fdt.strings_end - 1, 'x')); /* the last name's end */
	assert_false(opens_with(name + 3, 2));              /* an end before there was a begin */
	assert_false(opens_with(size - 1, 4));              /* no end of the tree */
	assert_false(opens_with(size - 5, 4));              /* nor of its root */
	assert_false(opens_with(fdt.structs + 7, 'x')); /* a name whose word does not end in 0 */
	free(blob);
}

/*
 * Everything that the kernel asks of a tree; answers do not matter, ending and
 * staying inside do.
 */
static void ask_everything(const uint8_t *blob, size_t size)
{
	uint64_t address, length;
	struct fdt fdt;
	unsigned visited = 0;

	if (fdt_open(&fdt, blob, size))
		return;
	for (fdt_node_t n = fdt_root(&fdt); n != FDT_NONE; n = fdt_next(&fdt, n)) {
		assert_true(visited++ < size);
		(void)strlen(fdt_name(&fdt, n));
		(void)fdt_string(&fdt, n, "status");
		(void)fdt_string(
			&fdt, n, LAST_NAME "\177\177"); /* goes on where its end is damaged */
		(void)fdt_reg(&fdt, fdt_root(&fdt), n, 0, &address, &length);
		(void)fdt_first_child(&fdt, n);
		(void)fdt_next_sibling(&fdt, n);
	}
	(void)fdt_find(&fdt, "/soc/uart");
	(void)fdt_find_compatible(&fdt, FDT_NONE, "ns16550a");
	for (unsigned i = 0; i < 4; i++)
		(void)fdt_reservation(&fdt, i, &address, &length);
}

static void truncate_tree(bool structs_last)
{
	size_t size;
	uint8_t *blob = make_tree(&size, structs_last);

	for (size_t n = 0; n < size; n++) {
		uint8_t *cut = malloc(n + 1); /* + 1: malloc(0) may be NULL */

		memcpy(cut, blob, n);
		ask_everything(cut, n);
		if (n >= 8) {
			put32(cut + 4, (uint32_t)n); /* a header that says so */
			ask_everything(cut, n);
		}
		free(cut);
	}
	free(blob);
}

static void test_truncated(void **state)
{
	(void)state;
	truncate_tree(false);
	truncate_tree(true);
}

static void damage_tree(bool structs_last)
{
	static const uint8_t values[] = {0, 1, 2, 3, 4, 9, 0x7f, 0x80, 0xff};
	size_t size;
	uint8_t *blob = make_tree(&size, structs_last);

	for (size_t at = 0; at < size; at++) {
		uint8_t old = blob[at];

		for (unsigned i = 0; i < sizeof(values); i++) {
			blob[at] = values[i];
			ask_everything(blob, size);
		}
		blob[at] = old;
	}
	free(blob);
}

static void test_every_byte(void **state)
{
	(void)state;
	damage_tree(false);
	damage_tree(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
