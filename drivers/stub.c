// SPDX-License-Identifier: MIT
/* Devices that have no driver yet. */
#include <drivers/devices.h>
void virtio_probe_all(const struct fdt *fdt)
{
	(void)fdt;
}
bool vconsole_present(void)
{
	return false;
}
size_t vconsole_write(const char *text, size_t bytes)
{
	(void)text;
	return bytes;
}
bool vconsole_idle(void)
{
	return true;
}
void vconsole_write_now(const char *text, size_t bytes)
{
	(void)text;
	(void)bytes;
}
void *ramdisk_memory(size_t bytes)
{
	(void)bytes;
	return 0;
}
void ramdisk_register(void *data, size_t bytes)
{
	(void)data;
	(void)bytes;
}
