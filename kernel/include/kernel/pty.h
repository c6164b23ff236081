// SPDX-License-Identifier: MIT
/*
 * Pseudo-terminals: /dev/ptmx, and the file system "devpts" with a node for each that is open.
 */
#pragma once

/* Once, at boot, after tty_init(). */
void pty_init(void);
