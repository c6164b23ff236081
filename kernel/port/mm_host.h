// SPDX-License-Identifier: MIT
#pragma once

/* Start mm and its background threads. In a thread. */
void mm_host_init(void);
