// SPDX-License-Identifier: MIT
/*
 * The device tree reader. fdt_open() goes over every token once and refuses a tree in which one
 * leads out of its block; the walks behind it, of which a boot makes many, need not look at any of
 * that again.
 */
#include <drivers/fdt.h>
#include <errno.h>
#include <string.h>

#define FDT_MAGIC       0xd00dfeed
#define FDT_HEADER      40
#define FDT_MIN_VERSION 16

enum { TOKEN_BEGIN = 1, TOKEN_END = 2, TOKEN_PROP = 3, TOKEN_NOP = 4, TOKEN_FINISH = 9 };

static uint32_t read32(const void *p)
{
	const uint8_t *b = p;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static uint64_t read_cells(const void *p, uint32_t cells)
{
	const uint8_t *b = p;
	uint64_t value = 0;

	for (uint32_t i = 0; i < cells; i++)
		value = value << 32 | read32(b + (size_t)i * 4);
	return value;
}

static uint32_t align4(uint32_t n)
{
	return (n + 3) & ~3u;
}

/* Of a tree that is well formed, here and below: a token is below 256. */
static uint32_t token(const struct fdt *fdt, uint32_t at)
{
	return fdt->blob[at + 3];
}

/* The offset behind the token at `at`, and behind what belongs to it. */
static uint32_t skip(const struct fdt *fdt, uint32_t at)
{
	switch (token(fdt, at)) {
	case TOKEN_BEGIN:
		do
			at += 4;
		while (fdt->blob[at + 3]); /* zeros fill a name's last word: begin_ok() */
		return at + 4;
	case TOKEN_PROP:
		return align4(at + 12 + read32(fdt->blob + at + 4));
	default:
		return at + 4;
	}
}

/* --- Opening ---------------------------------------------------------------------------------- */

static bool span_ok(uint32_t offset, uint32_t bytes, uint32_t total)
{
	return offset <= total && bytes <= total - offset && offset % 4 == 0;
}

/* A name ends, and does so in the first word whose last byte is 0. */
static bool begin_ok(const struct fdt *fdt, uint32_t at)
{
	const char *name = fdt_name(fdt, at);
	uint32_t left = fdt->structs_end - at - 4;
	const char *end = memchr(name, 0, left);

	return end && align4((uint32_t)(end - name) + 1) <= left && !name[(end - name) | 3];
}

static bool prop_ok(const struct fdt *fdt, uint32_t at)
{
	uint32_t left = fdt->structs_end - at;

	return left >= 12 && read32(fdt->blob + at + 4) <= left - 12 &&
	       read32(fdt->blob + at + 8) < fdt->strings_end - fdt->strings;
}

/* One root, every node ended, every name and value inside its block, and FINISH behind them. */
static bool well_formed(const struct fdt *fdt)
{
	uint32_t at = fdt->structs, depth = 0;
	bool root = false;

	if (fdt->strings_end > fdt->strings && fdt->blob[fdt->strings_end - 1])
		return false; /* the last name has no end */
	for (; at <= fdt->structs_end && fdt->structs_end - at >= 4; at = skip(fdt, at)) {
		uint32_t kind = read32(fdt->blob + at);

		switch (kind) {
		case TOKEN_BEGIN:
			if ((root && !depth) || !begin_ok(fdt, at))
				return false;
			root = true;
			depth++;
			break;
		case TOKEN_END:
			if (!depth--)
				return false;
			break;
		case TOKEN_PROP:
			if (!depth || !prop_ok(fdt, at))
				return false;
			break;
		case TOKEN_NOP:
			break;
		default:
			return kind == TOKEN_FINISH && root && !depth;
		}
	}
	return false;
}

int fdt_open(struct fdt *fdt, const void *blob, size_t limit)
{
	const uint8_t *b = blob;
	uint32_t structs_bytes, strings_bytes;

	if (limit < FDT_HEADER || read32(b) != FDT_MAGIC)
		return -EINVAL;
	*fdt = (struct fdt){.blob = blob, .bytes = read32(b + 4)};
	fdt->structs = read32(b + 8);
	fdt->strings = read32(b + 12);
	fdt->reserved = read32(b + 16);
	strings_bytes = read32(b + 32);
	structs_bytes = read32(b + 36);
	if (fdt->bytes > limit || fdt->bytes < FDT_HEADER || read32(b + 20) < FDT_MIN_VERSION ||
		!span_ok(fdt->structs, structs_bytes, fdt->bytes) || fdt->strings > fdt->bytes ||
		strings_bytes > fdt->bytes - fdt->strings || !span_ok(fdt->reserved, 0, fdt->bytes))
		return -EINVAL;
	fdt->structs_end = fdt->structs + structs_bytes;
	fdt->strings_end = fdt->strings + strings_bytes;
	return well_formed(fdt) ? 0 : -EINVAL;
}

/* --- Nodes ------------------------------------------------------------------------------------ */

/*
 * From the offset `at` on, the next node: *depth counts the ends on the way. FDT_NONE at the end of
 * the tree, or when depth falls below 0.
 */
static fdt_node_t next_node(const struct fdt *fdt, uint32_t at, int *depth)
{
	for (; token(fdt, at) != TOKEN_FINISH; at = skip(fdt, at)) {
		if (token(fdt, at) == TOKEN_BEGIN)
			return at;
		if (token(fdt, at) == TOKEN_END && --*depth < 0)
			break;
	}
	return FDT_NONE;
}

fdt_node_t fdt_root(const struct fdt *fdt)
{
	int depth = 1;

	return next_node(fdt, fdt->structs, &depth);
}

fdt_node_t fdt_next(const struct fdt *fdt, fdt_node_t node)
{
	int depth = INT32_MAX;

	return next_node(fdt, skip(fdt, node), &depth);
}

fdt_node_t fdt_first_child(const struct fdt *fdt, fdt_node_t node)
{
	int depth = 0;

	return next_node(fdt, skip(fdt, node), &depth);
}

fdt_node_t fdt_next_sibling(const struct fdt *fdt, fdt_node_t node)
{
	int depth = 1;
	fdt_node_t next = next_node(fdt, skip(fdt, node), &depth);

	while (next != FDT_NONE && depth > 0) {
		depth++;
		next = next_node(fdt, skip(fdt, next), &depth);
	}
	return next;
}

const char *fdt_name(const struct fdt *fdt, fdt_node_t node)
{
	return (const char *)fdt->blob + node + 4;
}

/* Does the node's name match the path component of n bytes? */
static bool name_matches(const char *name, const char *part, size_t n)
{
	if (strncmp(name, part, n) != 0)
		return false;
	return name[n] == '\0' || (name[n] == '@' && !memchr(part, '@', n));
}

fdt_node_t fdt_find(const struct fdt *fdt, const char *path)
{
	fdt_node_t node = fdt_root(fdt);

	while (*path == '/' && path[1] && node != FDT_NONE) {
		const char *end = strchr(path + 1, '/');
		size_t n = end ? (size_t)(end - path - 1) : strlen(path + 1);

		node = fdt_first_child(fdt, node);
		while (node != FDT_NONE && !name_matches(fdt_name(fdt, node), path + 1, n))
			node = fdt_next_sibling(fdt, node);
		path += n + 1;
	}
	return node;
}

/* --- Properties ------------------------------------------------------------------------------- */

const void *fdt_property(const struct fdt *fdt, fdt_node_t node, const char *name, uint32_t *bytes)
{
	const char *strings = (const char *)fdt->blob + fdt->strings;

	for (uint32_t at = skip(fdt, node);; at = skip(fdt, at)) {
		const uint8_t *prop = fdt->blob + at;

		if (token(fdt, at) == TOKEN_PROP && strcmp(strings + read32(prop + 8), name) == 0) {
			*bytes = read32(prop + 4);
			return prop + 12;
		}
		if (token(fdt, at) != TOKEN_PROP && token(fdt, at) != TOKEN_NOP)
			return NULL;
	}
}

const char *fdt_string(const struct fdt *fdt, fdt_node_t node, const char *name)
{
	uint32_t bytes;
	const char *text = fdt_property(fdt, node, name, &bytes);

	return text && bytes && memchr(text, 0, bytes) ? text : NULL;
}

static bool list_has(const char *list, uint32_t bytes, const char *word)
{
	size_t n = strlen(word) + 1;

	while (bytes) {
		const char *end = memchr(list, 0, bytes);

		if (!end)
			return false;
		if ((size_t)(end - list) + 1 == n && memcmp(list, word, n) == 0)
			return true;
		bytes -= (uint32_t)(end - list) + 1;
		list = end + 1;
	}
	return false;
}

fdt_node_t fdt_find_compatible(const struct fdt *fdt, fdt_node_t after, const char *compatible)
{
	fdt_node_t node = after == FDT_NONE ? fdt_root(fdt) : fdt_next(fdt, after);
	uint32_t bytes;

	for (; node != FDT_NONE; node = fdt_next(fdt, node)) {
		const char *list = fdt_property(fdt, node, "compatible", &bytes);

		if (list && list_has(list, bytes, compatible))
			return node;
	}
	return FDT_NONE;
}

void fdt_find_first(
	const struct fdt *fdt, const char *const compatible[], fdt_node_t nodes[], unsigned n)
{
	uint32_t bytes;

	for (unsigned i = 0; i < n; i++)
		nodes[i] = FDT_NONE;
	for (fdt_node_t node = fdt_root(fdt); node != FDT_NONE; node = fdt_next(fdt, node)) {
		const char *list = fdt_property(fdt, node, "compatible", &bytes);

		for (unsigned i = 0; list && i < n; i++)
			if (nodes[i] == FDT_NONE && list_has(list, bytes, compatible[i]))
				nodes[i] = node;
	}
}

bool fdt_cell(
	const struct fdt *fdt, fdt_node_t node, const char *name, unsigned index, uint32_t *value)
{
	uint32_t bytes;
	const uint8_t *cells = fdt_property(fdt, node, name, &bytes);

	if (!cells || index >= bytes / 4)
		return false;
	*value = read32(cells + (size_t)index * 4);
	return true;
}

bool fdt_number(const struct fdt *fdt, fdt_node_t node, const char *name, uint64_t *value)
{
	uint32_t bytes;
	const void *cells = fdt_property(fdt, node, name, &bytes);

	if (!cells || (bytes != 4 && bytes != 8))
		return false;
	*value = read_cells(cells, bytes / 4);
	return true;
}

bool fdt_reg(const struct fdt *fdt, fdt_node_t parent, fdt_node_t node, unsigned index,
	uint64_t *address, uint64_t *size)
{
	uint32_t address_cells = 2, size_cells = 1, bytes, entry;
	const uint8_t *reg = fdt_property(fdt, node, "reg", &bytes);

	fdt_cell(fdt, parent, "#address-cells", 0, &address_cells);
	fdt_cell(fdt, parent, "#size-cells", 0, &size_cells);
	if (!reg || address_cells < 1 || address_cells > 2 || size_cells > 2)
		return false;
	entry = (address_cells + size_cells) * 4;
	if (index >= bytes / entry)
		return false;
	reg += (size_t)index * entry;
	*address = read_cells(reg, address_cells);
	*size = read_cells(reg + (size_t)address_cells * 4, size_cells);
	return true;
}

bool fdt_enabled(const struct fdt *fdt, fdt_node_t node)
{
	const char *status = fdt_string(fdt, node, "status");

	return !status || strcmp(status, "okay") == 0;
}

bool fdt_reservation(const struct fdt *fdt, unsigned index, uint64_t *address, uint64_t *size)
{
	uint64_t at = fdt->reserved + (uint64_t)index * 16;

	if (at + 16 > fdt->bytes)
		return false;
	*address = read_cells(fdt->blob + at, 2);
	*size = read_cells(fdt->blob + at + 8, 2);
	return *address || *size;
}
