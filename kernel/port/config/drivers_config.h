// SPDX-License-Identifier: MIT
/* The kernel's types behind drivers/host.h. */
#pragma once

#include <kernel/lock.h>

struct drv_lock {
	struct spinlock spin;
};

struct drv_wait {
	struct waitq queue;
};
