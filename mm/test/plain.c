// SPDX-License-Identifier: MIT
#include "plain.h"

#include <string.h>

struct plain_copy {
	struct mvm_copy copy;
	char *bytes;
};

static size_t copy_out(struct mvm_copy *c, void *kernel, size_t done, size_t n)
{
	memcpy(((struct plain_copy *)c)->bytes + done, kernel, n);
	return n;
}

static size_t copy_in(struct mvm_copy *c, void *kernel, size_t done, size_t n)
{
	memcpy(kernel, ((struct plain_copy *)c)->bytes + done, n);
	return n;
}

int plain_read(struct mvm_object *obj, uint64_t offset, void *to, size_t n, size_t *done)
{
	struct plain_copy c = {.copy = {.copy = copy_out}, .bytes = to};

	return mvm_pc_read(obj, offset, n, &c.copy, done);
}

int plain_write(struct mvm_object *obj, uint64_t offset, const void *from, size_t n, size_t *done)
{
	struct plain_copy c = {.copy = {.copy = copy_in}, .bytes = (char *)(uintptr_t)from};

	return mvm_pc_write(obj, offset, n, &c.copy, done);
}
