// SPDX-License-Identifier: MIT
/*
 * The device tree reader. Every offset that comes out of the blob goes through in_structs() or
 * string_at() before it is used; a token that is none ends the walk.
 */
#include <drivers/fdt.h>
#include <errno.h>
#include <string.h>

#define FDT_MAGIC       0xd00dfeed
#define FDT_HEADER      40
#define FDT_MIN_VERSION 16

enum { TOKEN_BEGIN = 1, TOKEN_END = 2, TOKEN_PROP = 3, TOKEN_NOP = 4, TOKEN_FINISH = 9 };

struct prop {
	const char *name;
	const void *value;
	uint32_t bytes;
};

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

static bool span_ok(uint32_t offset, uint32_t bytes, uint32_t total)
{
	return offset <= total && bytes <= total - offset && offset % 4 == 0;
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
	return fdt_root(fdt) == FDT_NONE ? -EINVAL : 0;
}

static bool in_structs(const struct fdt *fdt, uint32_t at, uint32_t bytes)
{
	return at >= fdt->structs && at <= fdt->structs_end && bytes <= fdt->structs_end - at;
}

/* The token at `at`; FINISH beyond the end. */
static uint32_t token(const struct fdt *fdt, uint32_t at)
{
	return in_structs(fdt, at, 4) ? read32(fdt->blob + at) : (uint32_t)TOKEN_FINISH;
}

/* A terminated string between two offsets, or NULL. */
static const char *string_at(const struct fdt *fdt, uint32_t at, uint32_t end)
{
	if (at >= end || !memchr(fdt->blob + at, 0, end - at))
		return NULL;
	return (const char *)fdt->blob + at;
}

static uint32_t align4(uint32_t n)
{
	return (n + 3) & ~3u;
}

/* The offset behind the token at `at`; FDT_NONE when it is malformed. Fills *prop for a property.
 */
static uint32_t skip(const struct fdt *fdt, uint32_t at, struct prop *prop)
{
	const char *name;
	uint32_t bytes;

	switch (token(fdt, at)) {
	case TOKEN_BEGIN:
		name = string_at(fdt, at + 4, fdt->structs_end);
		return name ? align4(at + 4 + (uint32_t)strlen(name) + 1) : FDT_NONE;
	case TOKEN_PROP:
		if (!in_structs(fdt, at, 12))
			return FDT_NONE;
		bytes = read32(fdt->blob + at + 4);
		if (!in_structs(fdt, at + 12, bytes) || bytes > fdt->bytes)
			return FDT_NONE;
		name = NULL;
		if (read32(fdt->blob + at + 8) < fdt->bytes - fdt->strings)
			name = string_at(
				fdt, fdt->strings + read32(fdt->blob + at + 8), fdt->strings_end);
		*prop = (struct prop){name, fdt->blob + at + 12, bytes};
		return align4(at + 12 + bytes);
	case TOKEN_END:
	case TOKEN_NOP:
		return at + 4;
	default:
		return FDT_NONE;
	}
}

/*
 * From the offset `at` on, the next node: *depth counts BEGIN and END on the way. FDT_NONE at the
 * end of the tree, or when depth falls below 0.
 */
static fdt_node_t next_node(const struct fdt *fdt, uint32_t at, int *depth)
{
	struct prop prop;

	while (at != FDT_NONE) {
		switch (token(fdt, at)) {
		case TOKEN_BEGIN:
			return string_at(fdt, at + 4, fdt->structs_end) ? at : FDT_NONE;
		case TOKEN_END:
			if (--*depth < 0)
				return FDT_NONE;
		}
		at = skip(fdt, at, &prop);
	}
	return FDT_NONE;
}

fdt_node_t fdt_root(const struct fdt *fdt)
{
	int depth = 1;

	return next_node(fdt, fdt->structs, &depth);
}

static uint32_t behind(const struct fdt *fdt, fdt_node_t node)
{
	struct prop prop;

	return node == FDT_NONE ? FDT_NONE : skip(fdt, node, &prop);
}

fdt_node_t fdt_next(const struct fdt *fdt, fdt_node_t node)
{
	int depth = INT32_MAX;

	return next_node(fdt, behind(fdt, node), &depth);
}

fdt_node_t fdt_first_child(const struct fdt *fdt, fdt_node_t node)
{
	int depth = 0;

	return next_node(fdt, behind(fdt, node), &depth);
}

fdt_node_t fdt_next_sibling(const struct fdt *fdt, fdt_node_t node)
{
	int depth = 1;
	fdt_node_t next = next_node(fdt, behind(fdt, node), &depth);

	while (next != FDT_NONE && depth > 0) {
		depth++;
		next = next_node(fdt, behind(fdt, next), &depth);
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

const void *fdt_property(const struct fdt *fdt, fdt_node_t node, const char *name, uint32_t *bytes)
{
	uint32_t at = behind(fdt, node), next;
	struct prop prop;

	for (; at != FDT_NONE; at = next) {
		uint32_t kind = token(fdt, at);

		if (kind != TOKEN_PROP && kind != TOKEN_NOP)
			break;
		next = skip(fdt, at, &prop);
		if (kind == TOKEN_PROP && next != FDT_NONE && prop.name &&
			strcmp(prop.name, name) == 0) {
			*bytes = prop.bytes;
			return prop.value;
		}
	}
	return NULL;
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
