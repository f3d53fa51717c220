/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The interface of the link's endpoint controller, version 1: a PCI function with MSI-X (vector 0
 * events, 1 DMA completion), registers in BAR 0, the outbound window in BAR 2. The other side of it
 * is `epfnvme link`.
 */
#ifndef VEPC_LINK_REGS_H
#define VEPC_LINK_REGS_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/sizes.h>
#include <linux/stddef.h>
#include <linux/types.h>

#define LINK_VENDOR_ID		0x1b36
#define LINK_DEVICE_ID		0x7e9c
#define LINK_VERSION		1

#define LINK_REGISTER_BAR	0
#define LINK_WINDOW_BAR		2

#define LINK_EVENT_VECTOR	0
#define LINK_DMA_VECTOR		1
#define LINK_VECTORS		2

#define LINK_MAX_FUNCTIONS	64
/* Windows and the addresses that they lead to are multiples of this, not of PAGE_SIZE. */
#define LINK_PAGE_SHIFT		12
#define LINK_PAGE_SIZE		SZ_4K

/*
 * Registers, 32 bits wide. Those marked w64 take two writes: the low word at the offset, then the
 * high word at the next, which acts. All writes may be posted; a read orders everything before it.
 */
#define LINK_MAGIC		0x00	/* r: LINK_MAGIC_VALUE */
#define LINK_INTERFACE		0x04	/* r: LINK_VERSION */
#define LINK_FEATURES		0x08	/* r: LINK_FEATURE_* */
#define LINK_EVENTS		0x0c	/* r: VEPC_*, pending events, cleared by reading */
#define LINK_ACK		0x10	/* w: these events have been dealt with */
#define LINK_RESULT		0x14	/* r: of the last operation, 0 or a positive errno */
#define LINK_SHARED		0x18	/* w64: bus address of struct link_shared, or 0 */
#define LINK_MAILBOX		0x20	/* w: run the operation in the mailbox */
#define LINK_IRQ		0x24	/* w: function << 24 | LINK_IRQ_* << 16 | number */
#define LINK_WINDOW		0x28	/* w64: page in BAR 2, function << 24 | pages */
#define LINK_MAP		0x30	/* w64: PCI address for the window selected before */
#define LINK_UNMAP		0x38	/* w: page in BAR 2 */
#define LINK_DMA		0x3c	/* w: start the transfer of a channel */
#define LINK_SYNC		0x40	/* r: 0 */

#define LINK_MAGIC_VALUE	0x4b4c5045	/* "EPLK" */

#define LINK_FEATURE_MSIX	BIT(0)
#define LINK_FEATURE_MSI	BIT(1)
#define LINK_FEATURE_INTX	BIT(2)
#define LINK_FEATURE_FUNCTIONS	GENMASK(15, 8)
#define LINK_FEATURE_WINDOWS	GENMASK(31, 16)	/* 0: not limited */

#define LINK_IRQ_INTX		0
#define LINK_IRQ_MSI		1
#define LINK_IRQ_MSIX		2

/* What one transfer of a channel can be long. */
#define LINK_TRANSFER_MAX	SZ_16M

#define LINK_WINDOW_PAGES_MAX	GENMASK(23, 0)

/* What the host has set up, in link_shared.host[function]. */
#define LINK_HOST_LINK_UP	BIT(0)
#define LINK_HOST_MSI		BIT(3)
#define LINK_HOST_MSIX		BIT(4)
#define LINK_HOST_MSI_LOG2	GENMASK(15, 8)	/* of the vectors granted */

enum link_operation {
	LINK_OP_HEADER		= 1,
	LINK_OP_SET_BAR		= 2,
	LINK_OP_CLEAR_BAR	= 3,
	LINK_OP_MSI		= 4,
	LINK_OP_MSIX		= 5,
	LINK_OP_START		= 6,
	LINK_OP_STOP		= 7,
	LINK_OP_REMOVE		= 8,
};

struct link_mailbox {
	__le32	operation;
	__le32	function;
	__le32	arg[6];
	__le64	address;
	__le64	size;
};

/*
 * The first pair of channels to and from the host is 0 and 1, the next ones follow the channel from
 * memory to memory: 3 and 4, 5 and 6.
 */
#define LINK_CHANNEL_COPY		2
#define LINK_CHANNELS			56
#define LINK_CHANNEL_PAIRS		27U
#define LINK_CHANNEL_TO_HOST(pair)	((pair) ? 1 + 2 * (pair) : 0)
#define LINK_CHANNEL_FROM_HOST(pair)	(LINK_CHANNEL_TO_HOST(pair) + 1)

enum link_dma_status {
	LINK_DMA_IDLE		= 0,
	LINK_DMA_UNDER_WAY	= 1,
	LINK_DMA_DONE		= 2,
	LINK_DMA_FAILED		= 3,
};

/* One transfer of a channel. The link writes status last. */
struct link_transfer {
	__le64	local;		/* bus address of this machine */
	__le64	remote;		/* PCI address at the host; LINK_CHANNEL_COPY: source */
	__le32	length;
	__le32	function;
	__le32	interrupt;	/* 1: raise LINK_DMA_VECTOR when finished */
	__le32	status;
	__le32	reserved[8];
};

/* A page in this machine's memory that both sides read and write. */
struct link_shared {
	__le32			host[LINK_MAX_FUNCTIONS];
	struct link_mailbox	mailbox;
	u8			reserved[0x200 - 0x100 - sizeof(struct link_mailbox)];
	struct link_transfer	transfers[LINK_CHANNELS];
};

static_assert(offsetof(struct link_shared, mailbox) == 0x100);
static_assert(offsetof(struct link_shared, transfers) == 0x200);
static_assert(sizeof(struct link_transfer) == 64);
static_assert(sizeof(struct link_shared) <= LINK_PAGE_SIZE);

#endif
