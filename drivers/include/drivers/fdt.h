// SPDX-License-Identifier: MIT
/*
 * Reading a flattened device tree (Devicetree Specification 0.4, chapter 5).
 *
 * Nothing is copied or allocated: nodes and properties are offsets and pointers into the blob. A
 * blob may be damaged: fdt_open() refuses one in which anything leads out of it. Values may change
 * after that, lengths and names may not. A node that is asked for is one that there is, not
 * FDT_NONE.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fdt {
	const uint8_t *blob;
	uint32_t bytes;
	uint32_t structs, structs_end; /* offsets of the structure block */
	uint32_t strings, strings_end;
	uint32_t reserved; /* of the memory reservation block */
};

/* Offset of a node's BEGIN token; FDT_NONE: no such node. The root is fdt_root(). */
typedef uint32_t fdt_node_t;
#define FDT_NONE UINT32_MAX

/* Check all of it. limit: bytes that may be read at blob. 0 or -EINVAL. */
int fdt_open(struct fdt *fdt, const void *blob, size_t limit);

fdt_node_t fdt_root(const struct fdt *fdt);
fdt_node_t fdt_first_child(const struct fdt *fdt, fdt_node_t node);
fdt_node_t fdt_next_sibling(const struct fdt *fdt, fdt_node_t node);
/* The node after this one in document order, whatever its depth. */
fdt_node_t fdt_next(const struct fdt *fdt, fdt_node_t node);
/* "/a/b": names match up to the unit address where the path has none. */
fdt_node_t fdt_find(const struct fdt *fdt, const char *path);
/* The first node after `after` (FDT_NONE: from the start) that lists this compatible string. */
fdt_node_t fdt_find_compatible(const struct fdt *fdt, fdt_node_t after, const char *compatible);
/* For each of n compatible strings the first node that lists it, or FDT_NONE, in one walk. */
void fdt_find_first(
	const struct fdt *fdt, const char *const compatible[], fdt_node_t nodes[], unsigned n);
const char *fdt_name(const struct fdt *fdt, fdt_node_t node);

/* A property's value and length; NULL: not there. */
const void *fdt_property(const struct fdt *fdt, fdt_node_t node, const char *name, uint32_t *bytes);
/* As a string (ended inside the property), or NULL. */
const char *fdt_string(const struct fdt *fdt, fdt_node_t node, const char *name);
/* The index-th 32-bit cell. */
bool fdt_cell(
	const struct fdt *fdt, fdt_node_t node, const char *name, unsigned index, uint32_t *value);
/* A whole property of one or two cells. */
bool fdt_number(const struct fdt *fdt, fdt_node_t node, const char *name, uint64_t *value);

/* The index-th (address, size) of "reg", by the parent's #address-cells and #size-cells. */
bool fdt_reg(const struct fdt *fdt, fdt_node_t parent, fdt_node_t node, unsigned index,
	uint64_t *address, uint64_t *size);
/* Where `status` is absent or "okay". */
bool fdt_enabled(const struct fdt *fdt, fdt_node_t node);
/* The index-th entry of the memory reservation block. */
bool fdt_reservation(const struct fdt *fdt, unsigned index, uint64_t *address, uint64_t *size);
