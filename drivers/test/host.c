// SPDX-License-Identifier: MIT
/*
 * What the virtqueue needs of drivers/host.h, in a process. Device addresses are pointers.
 */
#include <drivers/host.h>
#include <stdlib.h>
#include <string.h>

void *drv_dma_alloc(size_t bytes)
{
	size_t rounded = (bytes + 4095) & ~(size_t)4095;
	void *p = aligned_alloc(4096, rounded);

	return p ? memset(p, 0, rounded) : NULL;
}

uint64_t drv_dma_address(const void *p)
{
	return (uintptr_t)p;
}

void drv_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
