// SPDX-License-Identifier: MIT
/*
 * The file system "proc".
 */
#pragma once

/* Register the type.  Once, at boot. */
void procfs_init(void);
