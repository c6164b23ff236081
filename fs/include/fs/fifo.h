// SPDX-License-Identifier: MIT
/*
 * Fifos: names for pipes.  The host has the pipes; a fifo has one from its first open to its last
 * close, in vnode.fifo.
 */
#pragma once

#include <fs/file.h>

/*
 * open() makes a file an end of the pipe of its fifo (f->vnode): sets its operations, and waits for
 * the other end if that is so.  It may sleep; no lock is held.  Without it, fifos are -ENXIO.
 */
void fifo_register(int (*open)(struct file *f));

/*
 * The entry of a pipe that was made without a name, so that it can be opened: its vnode is a fifo
 * of cred's, with `pipe` in it.  *out is referenced.  -ENOMEM.
 */
int fifo_nameless(void *pipe, const struct fs_cred *cred, struct dentry **out);
