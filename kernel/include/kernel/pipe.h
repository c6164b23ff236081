// SPDX-License-Identifier: MIT
/*
 * Pipes.
 */
#pragma once

#include <fs/file.h>

/* pair[0] reads what pair[1] writes.  flags: FS_O_NONBLOCK.  -ENOMEM. */
int pipe_new(unsigned flags, struct file *pair[2]);

/* Its size; a new one, rounded up, is -EBUSY (there is more in it), -EPERM, -EINVAL or -ENOMEM. */
long pipe_bytes(struct file *file);
long pipe_set_bytes(struct file *file, uint64_t bytes);

/* Beyond the core: names for pipes. */
void fifos_init(void);

/* What fstat says of one. */
bool file_is_pipe(const struct file *file);
void pipe_getattr(struct file *file, struct fs_attr *attr);
