// SPDX-License-Identifier: MIT
/*
 * Mapping an ELF program.
 *
 * Nothing is read but the headers: each PT_LOAD becomes a private mapping of the file's object, in
 * which pages appear when they are touched.
 *
 *	          vaddr                vaddr+filesz         vaddr+memsz
 *	            |  file's bytes         |  zeros             |
 *	  |_________|__________|____________|_________|__________|___|      pages
 *	  '------- private, of the file -------------''-- anonymous -'
 *	                                    '-------' zeroed now, in this process's copy
 *
 * A position-independent program without an interpreter (static-pie) goes somewhere above PIE_BASE.
 */
#include "exec_elf.h"

#include <abi/errno.h>
#include <kernel/kmem.h>
#include <kernel/uaccess.h>

#define PIE_BASE    0x2000000000UL
#define MAX_HEADERS (PAGE_SIZE / sizeof(Elf64_Phdr))

int exec_read(struct file *file, uint64_t offset, void *to, size_t n)
{
	struct kernel_buffer buffer;
	size_t done = 0;

	kernel_buffer_init(&buffer, to, true);
	int err = file_pread(file, &buffer.ops, n, offset, &done);
	if (err)
		return err;
	return done == n ? 0 : -ENOEXEC;
}

static int check_header(const Elf64_Ehdr *h)
{
	bool ours = h->e_ident[EI_CLASS] == ELFCLASS64 && h->e_ident[EI_DATA] == ELFDATA2LSB &&
		    h->e_ident[EI_VERSION] == EV_CURRENT && h->e_machine == EM_RISCV &&
		    (h->e_type == ET_EXEC || h->e_type == ET_DYN);

	if (!ours || h->e_phentsize != sizeof(Elf64_Phdr))
		return -ENOEXEC;
	return h->e_phnum && h->e_phnum <= MAX_HEADERS ? 0 : -ENOEXEC;
}

static int check_segment(const Elf64_Phdr *ph, uint64_t file_bytes)
{
	if (ph->p_type == PT_INTERP)
		return -ENOEXEC; /* no dynamic linking here */
	if (ph->p_type != PT_LOAD)
		return 0;
	if (ph->p_filesz > ph->p_memsz || (ph->p_vaddr - ph->p_offset) % PAGE_SIZE)
		return -ENOEXEC;
	if (ph->p_offset > file_bytes || ph->p_filesz > file_bytes - ph->p_offset)
		return -ENOEXEC;
	if (ph->p_vaddr < USER_BASE && ph->p_memsz && ph->p_vaddr + PIE_BASE < PIE_BASE)
		return -ENOEXEC;
	return ph->p_vaddr <= VMSPACE_PROGRAM_END &&
			       ph->p_memsz <= VMSPACE_PROGRAM_END - ph->p_vaddr
		       ? 0
		       : -ENOEXEC;
}

static unsigned rights_of(const Elf64_Phdr *ph)
{
	return (ph->p_flags & PF_R ? MVM_READ : 0) | (ph->p_flags & PF_W ? MVM_WRITE : 0) |
	       (ph->p_flags & PF_X ? MVM_EXEC : 0);
}

static int map_range(struct vmspace *vm, vaddr_t start, vaddr_t end, unsigned rights,
	struct mvm_object *object, uint64_t offset)
{
	struct mvm_map map = {
		.addr = start,
		.bytes = end - start,
		.rights = rights,
		.max_rights = MVM_RWX,
		.flags = MVM_MAP_FIXED,
		.object = object,
		.offset_pages = offset / PAGE_SIZE,
	};

	int err = start < end ? mvm_map(vm->space, &map) : 0;
	return err == -EINVAL ? -ENOEXEC : err;
}

/* The bytes between the end of the file's and the end of the page they end in. */
static int zero_tail(struct vmspace *vm, vaddr_t from)
{
	static const char zeros[PAGE_SIZE];
	size_t n = page_align_up(from) - from;

	return n ? mvm_space_write(vm->space, from, zeros, n, true) : 0;
}

static int map_segment(
	struct vmspace *vm, struct mvm_object *object, const Elf64_Phdr *ph, vaddr_t bias)
{
	vaddr_t start = ph->p_vaddr + bias, file_end = start + ph->p_filesz;
	vaddr_t end = start + ph->p_memsz, anonymous = page_align_down(start);
	int err = 0;

	if (ph->p_filesz) {
		anonymous = page_align_up(file_end);
		err = map_range(vm, page_align_down(start), anonymous, rights_of(ph), object,
			page_align_down(ph->p_offset));
		if (!err && end > file_end)
			err = zero_tail(vm, file_end);
	}
	if (!err)
		err = map_range(vm, anonymous, page_align_up(end), rights_of(ph), NULL, 0);
	return err;
}

static void note_segment(
	struct exec_image *image, const Elf64_Ehdr *h, const Elf64_Phdr *ph, vaddr_t bias)
{
	uint64_t in_segment = h->e_phoff - ph->p_offset;

	if (h->e_phoff >= ph->p_offset && in_segment < ph->p_filesz)
		image->headers = ph->p_vaddr + in_segment + bias;
	if (ph->p_vaddr + ph->p_memsz + bias > image->end)
		image->end = ph->p_vaddr + ph->p_memsz + bias;
}

static void note_places(struct vmspace *vm, const Elf64_Phdr *ph, vaddr_t bias)
{
	vaddr_t start = ph->p_vaddr + bias, end = start + ph->p_filesz;

	if ((ph->p_flags & PF_X) && (!vm->code_end || start < vm->code_start))
		vm->code_start = start;
	if ((ph->p_flags & PF_X) && end > vm->code_end)
		vm->code_end = end;
	if (start > vm->data_start)
		vm->data_start = start;
	if (end > vm->data_end)
		vm->data_end = end;
}

static int map_segments(struct file *file, const Elf64_Ehdr *h, const Elf64_Phdr *ph,
	struct vmspace *vm, struct exec_image *image)
{
	vaddr_t bias = h->e_type == ET_DYN ? PIE_BASE + vmspace_random(VMSPACE_BOTTOM_SPREAD) : 0;
	struct mvm_object *object;
	int err = file_map(file, false, false, &object);

	if (err)
		return err == -ENODEV ? -ENOEXEC : err;
	for (unsigned i = 0; !err && i < h->e_phnum; i++) {
		if (ph[i].p_type != PT_LOAD || !ph[i].p_memsz)
			continue;
		err = map_segment(vm, object, &ph[i], bias);
		note_segment(image, h, &ph[i], bias);
		note_places(vm, &ph[i], bias);
	}
	mvm_object_unref(object);
	image->entry = h->e_entry + bias;
	image->n_headers = h->e_phnum;
	return !err && !image->end ? -ENOEXEC : err;
}

int exec_elf_map(struct file *file, const void *head, size_t head_bytes, struct vmspace *vm,
	struct exec_image *image)
{
	const Elf64_Ehdr *h = head;
	uint64_t file_bytes = vnode_size(file->vnode);
	Elf64_Phdr *own = NULL;
	const Elf64_Phdr *ph;
	int err = head_bytes < sizeof *h ? -ENOEXEC : check_header(h);

	if (err)
		return err;
	size_t n = h->e_phnum * sizeof *ph;
	if (h->e_phoff % 8 == 0 && h->e_phoff <= head_bytes && n <= head_bytes - h->e_phoff) {
		ph = (const Elf64_Phdr *)((const char *)head + h->e_phoff);
	} else {
		ph = own = kmalloc(n);
		err = own ? exec_read(file, h->e_phoff, own, n) : -ENOMEM;
	}
	for (unsigned i = 0; !err && i < h->e_phnum; i++)
		err = check_segment(&ph[i], file_bytes);
	if (!err)
		err = map_segments(file, h, ph, vm, image);
	kfree(own);
	return err == -EINVAL ? -ENOEXEC : err;
}
