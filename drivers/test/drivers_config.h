// SPDX-License-Identifier: MIT
/* drivers/host.h in a process: one thread, no interrupts. */
#pragma once

struct drv_lock {
	int unused;
};

struct drv_wait {
	int unused;
};
