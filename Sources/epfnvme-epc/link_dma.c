// SPDX-License-Identifier: GPL-2.0
/*
 * The DMA channels of the controller on the link, as the dmaengine API wants them: for each function
 * one to the host and one from the host, and one from memory to memory. The link copies; a doorbell write starts it,
 * and the shared page says when it is done. A client that polls needs no interrupt.
 *
 * A channel of the link knows the function on whose behalf it accesses the host; the dmaengine API
 * does not. It is the first function of the controller, whose host is that of all.
 */

#include <linux/bitops.h>
#include <linux/dmaengine.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/iopoll.h>
#include <linux/list.h>
#include <linux/moduleparam.h>
#include <linux/overflow.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "link.h"

static bool dma = true;
module_param(dma, bool, 0444);
MODULE_PARM_DESC(dma, "the controller on the link has DMA channels to and from the host");

static bool dma_memcpy = true;
module_param(dma_memcpy, bool, 0444);
MODULE_PARM_DESC(dma_memcpy, "the controller on the link has a DMA channel from memory to memory");

/* How long the end of a transfer is awaited before its memory is given back. */
#define QUIESCE_US	USEC_PER_SEC

struct part {
	u64	local, remote;
	u32	length;
};

/**
 * struct link_descriptor - what a client prepared
 * @tx: the client's view
 * @node: entry of one of the channel's lists
 * @result: what the client is told
 * @length: bytes in all
 * @count: transfers of the link that it takes
 * @next: the first one that has not been started
 * @parts: these transfers
 */
struct link_descriptor {
	struct dma_async_tx_descriptor	tx;
	struct list_head		node;
	struct dmaengine_result		result;
	u32				length;
	unsigned int			count, next;
	struct part			parts[] __counted_by(count);
};

/**
 * struct link_channel - a channel
 * @chan: the client's view
 * @dma: what the channel belongs to
 * @number: the channel's number at the link
 * @direction: where it copies
 * @tasklet: calls clients back
 * @config: where at the host the next transfers go
 * @lock: protects what follows; taken in the interrupt
 * @transfer: the channel's transfer in the shared page, or NULL when the device is gone
 * @prepared: descriptors that have not been submitted
 * @submitted: descriptors that have not been issued
 * @issued: descriptors that are not started yet
 * @active: the descriptor that is being transferred, or NULL
 * @under_way: the link has not finished the last transfer; its descriptor may have been terminated
 * @finished: descriptors whose callback is pending
 * @failed: cookie of the last descriptor that failed
 */
struct link_channel {
	struct dma_chan			chan;
	struct link_dma			*dma;
	unsigned int			number;
	enum dma_transfer_direction	direction;
	struct tasklet_struct		tasklet;
	struct dma_slave_config		config;
	/* Taken in the interrupt. */
	spinlock_t			lock;
	struct link_transfer		*transfer;
	struct list_head		prepared, submitted, issued, finished;
	struct link_descriptor		*active;
	bool				under_way;
	dma_cookie_t			failed;
};

/**
 * struct link_dma - channels of one kind; lives as long as a client has one of them
 * @device: the dmaengine API's view
 * @link: the controller; not to be used when a channel's transfer is NULL
 * @window_base: physical address of the outbound window
 * @window_bus: its bus address
 * @window_size: its size in bytes
 * @count: how many channels there are
 * @channels: the channels
 */
struct link_dma {
	struct dma_device	device;
	struct link		*link;
	phys_addr_t		window_base;
	u64			window_bus, window_size;
	unsigned int		count;
	struct link_channel	channels[] __counted_by(count);
};

static struct link_channel *to_channel(struct dma_chan *chan)
{
	return container_of(chan, struct link_channel, chan);
}

static struct link_descriptor *to_descriptor(struct dma_async_tx_descriptor *tx)
{
	return container_of(tx, struct link_descriptor, tx);
}

/* ---- Transfers; all with the channel's lock held ---- */

/* The function on whose behalf the link accesses the host, see above. */
static u32 first_function(struct link *link)
{
	unsigned int func = find_first_bit(&link->vepc.epc->function_num_map, BITS_PER_LONG);

	return func < link->vepc.max_functions ? func : 0;
}

static void start_part(struct link_channel *channel)
{
	struct link_descriptor *descriptor = channel->active;
	struct link *link = channel->dma->link;
	struct link_transfer *transfer = channel->transfer;
	struct part *part = &descriptor->parts[descriptor->next++];
	bool interrupt;

	/* Without an interrupt the client polls, and that takes the channel further, too. */
	interrupt = descriptor->tx.flags & DMA_PREP_INTERRUPT || descriptor->tx.callback ||
		    descriptor->tx.callback_result || descriptor->next < descriptor->count ||
		    !list_empty(&channel->issued);
	transfer->local = cpu_to_le64(part->local);
	transfer->remote = cpu_to_le64(part->remote);
	transfer->length = cpu_to_le32(part->length);
	transfer->function = cpu_to_le32(first_function(link));
	transfer->interrupt = cpu_to_le32(interrupt);
	WRITE_ONCE(transfer->status, cpu_to_le32(LINK_DMA_UNDER_WAY));
	channel->under_way = true;
	/* writel() orders the memory above before it. */
	writel(channel->number, link->regs + LINK_DMA);
}

static void free_descriptor(struct link_descriptor *descriptor)
{
	dma_descriptor_unmap(&descriptor->tx);
	kfree(descriptor);
}

static void finish(struct link_channel *channel, struct link_descriptor *descriptor,
		   enum dmaengine_tx_result result)
{
	descriptor->result.result = result;
	descriptor->result.residue = result == DMA_TRANS_NOERROR ? 0 : descriptor->length;
	if (result != DMA_TRANS_NOERROR)
		channel->failed = descriptor->tx.cookie;
	channel->chan.completed_cookie = descriptor->tx.cookie;
	if (descriptor->tx.callback || descriptor->tx.callback_result) {
		list_add_tail(&descriptor->node, &channel->finished);
		tasklet_schedule(&channel->tasklet);
	} else {
		free_descriptor(descriptor);
	}
}

static enum dmaengine_tx_result failure_of(struct link_channel *channel)
{
	return channel->direction == DMA_DEV_TO_MEM ? DMA_TRANS_READ_FAILED :
						      DMA_TRANS_WRITE_FAILED;
}

/* The device is gone, and a client has not noticed. */
static void fail_all(struct link_channel *channel)
{
	struct link_descriptor *descriptor, *next;

	channel->under_way = false;
	if (channel->active)
		list_add(&channel->active->node, &channel->issued);
	channel->active = NULL;
	list_for_each_entry_safe(descriptor, next, &channel->issued, node) {
		list_del(&descriptor->node);
		finish(channel, descriptor, DMA_TRANS_ABORTED);
	}
}

/* Takes note of a transfer that the link has finished, and starts the next one. */
static void advance(struct link_channel *channel)
{
	struct link_descriptor *descriptor;
	u32 status;

	if (!channel->transfer) {
		fail_all(channel);
		return;
	}
	if (channel->under_way) {
		status = le32_to_cpu(READ_ONCE(channel->transfer->status));
		if (status == LINK_DMA_UNDER_WAY)
			return;
		/* What has been transferred is read after its status. */
		dma_rmb();
		channel->under_way = false;
		descriptor = channel->active;
		if (descriptor && status != LINK_DMA_DONE) {
			channel->active = NULL;
			finish(channel, descriptor, failure_of(channel));
		} else if (descriptor && descriptor->next == descriptor->count) {
			channel->active = NULL;
			finish(channel, descriptor, DMA_TRANS_NOERROR);
		}
	}
	if (!channel->active) {
		channel->active = list_first_entry_or_null(&channel->issued,
							   struct link_descriptor, node);
		if (!channel->active)
			return;
		list_del(&channel->active->node);
	}
	start_part(channel);
}

static void call_back(struct tasklet_struct *tasklet)
{
	struct link_channel *channel = from_tasklet(channel, tasklet, tasklet);
	struct link_descriptor *descriptor, *next;
	LIST_HEAD(finished);

	spin_lock_irq(&channel->lock);
	list_splice_init(&channel->finished, &finished);
	spin_unlock_irq(&channel->lock);
	list_for_each_entry_safe(descriptor, next, &finished, node) {
		struct dma_async_tx_descriptor *tx = &descriptor->tx;

		if (tx->callback_result)
			tx->callback_result(tx->callback_param, &descriptor->result);
		else if (tx->callback)
			tx->callback(tx->callback_param);
		free_descriptor(descriptor);
	}
}

static void free_descriptors(struct list_head *descriptors)
{
	struct link_descriptor *descriptor, *next;

	list_for_each_entry_safe(descriptor, next, descriptors, node)
		free_descriptor(descriptor);
}

/* ---- The dmaengine API ---- */

static dma_cookie_t link_dma_submit(struct dma_async_tx_descriptor *tx)
{
	struct link_channel *channel = to_channel(tx->chan);
	dma_cookie_t cookie;
	unsigned long flags;

	spin_lock_irqsave(&channel->lock, flags);
	cookie = channel->chan.cookie + 1;
	if (cookie < DMA_MIN_COOKIE)
		cookie = DMA_MIN_COOKIE;
	channel->chan.cookie = cookie;
	tx->cookie = cookie;
	list_move_tail(&to_descriptor(tx)->node, &channel->submitted);
	spin_unlock_irqrestore(&channel->lock, flags);
	return cookie;
}

static struct link_descriptor *new_descriptor(unsigned int count)
{
	struct link_descriptor *descriptor;

	if (!count)
		return NULL;
	/* Clients may prepare in atomic context. */
	descriptor = kzalloc(struct_size(descriptor, parts, count), GFP_NOWAIT);
	if (descriptor)
		descriptor->count = count;
	return descriptor;
}

static struct dma_async_tx_descriptor *add_descriptor(struct link_channel *channel,
						      struct link_descriptor *descriptor,
						      unsigned long tx_flags)
{
	unsigned long flags;
	bool gone;

	dma_async_tx_descriptor_init(&descriptor->tx, &channel->chan);
	descriptor->tx.tx_submit = link_dma_submit;
	descriptor->tx.flags = tx_flags;
	spin_lock_irqsave(&channel->lock, flags);
	gone = !channel->transfer;
	if (!gone)
		list_add_tail(&descriptor->node, &channel->prepared);
	spin_unlock_irqrestore(&channel->lock, flags);
	if (gone) {
		kfree(descriptor);
		return NULL;
	}
	return &descriptor->tx;
}

static struct dma_async_tx_descriptor *
link_dma_prep_slave_sg(struct dma_chan *chan, struct scatterlist *list, unsigned int count,
		       enum dma_transfer_direction direction, unsigned long flags, void *context)
{
	struct link_channel *channel = to_channel(chan);
	struct link_descriptor *descriptor;
	struct scatterlist *entry;
	u64 remote;
	int i;

	if (direction != channel->direction)
		return NULL;
	remote = direction == DMA_MEM_TO_DEV ? channel->config.dst_addr : channel->config.src_addr;
	descriptor = new_descriptor(count);
	if (!descriptor)
		return NULL;
	for_each_sg(list, entry, count, i) {
		struct part *part = &descriptor->parts[i];

		part->local = sg_dma_address(entry);
		part->remote = remote;
		part->length = sg_dma_len(entry);
		if (part->length > LINK_TRANSFER_MAX ||
		    check_add_overflow(descriptor->length, part->length, &descriptor->length)) {
			kfree(descriptor);
			return NULL;
		}
		/* The host's side is memory, not a FIFO: the next entry follows. */
		remote += part->length;
	}
	return add_descriptor(channel, descriptor, flags);
}

/* Clients name the outbound window as the processor sees it. */
static u64 to_bus_address(struct link_dma *dma, dma_addr_t address)
{
	if (address < dma->window_base || address - dma->window_base >= dma->window_size)
		return address;
	return dma->window_bus + (address - dma->window_base);
}

static struct dma_async_tx_descriptor *
link_dma_prep_memcpy(struct dma_chan *chan, dma_addr_t to, dma_addr_t from, size_t length,
		     unsigned long flags)
{
	struct link_channel *channel = to_channel(chan);
	struct link_descriptor *descriptor;

	if (length > U32_MAX)
		return NULL;
	descriptor = new_descriptor(DIV_ROUND_UP(length, LINK_TRANSFER_MAX));
	if (!descriptor)
		return NULL;
	for (unsigned int i = 0; i < descriptor->count; i++) {
		struct part *part = &descriptor->parts[i];

		part->local = to_bus_address(channel->dma, to + descriptor->length);
		part->remote = to_bus_address(channel->dma, from + descriptor->length);
		part->length = min_t(size_t, length - descriptor->length, LINK_TRANSFER_MAX);
		descriptor->length += part->length;
	}
	return add_descriptor(channel, descriptor, flags);
}

static void link_dma_issue_pending(struct dma_chan *chan)
{
	struct link_channel *channel = to_channel(chan);
	unsigned long flags;

	spin_lock_irqsave(&channel->lock, flags);
	list_splice_tail_init(&channel->submitted, &channel->issued);
	advance(channel);
	spin_unlock_irqrestore(&channel->lock, flags);
}

/* The residue of a descriptor: all of it, or nothing. */
static u32 residue_of(struct link_channel *channel, dma_cookie_t cookie)
{
	struct link_descriptor *descriptor;

	if (channel->active && channel->active->tx.cookie == cookie)
		return channel->active->length;
	list_for_each_entry(descriptor, &channel->issued, node)
		if (descriptor->tx.cookie == cookie)
			return descriptor->length;
	list_for_each_entry(descriptor, &channel->submitted, node)
		if (descriptor->tx.cookie == cookie)
			return descriptor->length;
	return 0;
}

static enum dma_status link_dma_tx_status(struct dma_chan *chan, dma_cookie_t cookie,
					  struct dma_tx_state *state)
{
	struct link_channel *channel = to_channel(chan);
	enum dma_status status;
	unsigned long flags;

	spin_lock_irqsave(&channel->lock, flags);
	advance(channel);
	if (cookie == channel->failed || !channel->transfer)
		status = DMA_ERROR;
	else
		status = dma_async_is_complete(cookie, chan->completed_cookie, chan->cookie);
	if (state) {
		state->last = chan->completed_cookie;
		state->used = chan->cookie;
		state->residue = status == DMA_COMPLETE ? 0 : residue_of(channel, cookie);
		state->in_flight_bytes = 0;
	}
	spin_unlock_irqrestore(&channel->lock, flags);
	return status;
}

static int link_dma_config(struct dma_chan *chan, struct dma_slave_config *config)
{
	to_channel(chan)->config = *config;
	return 0;
}

/* A channel has one direction, by which clients choose it. */
static void link_dma_caps(struct dma_chan *chan, struct dma_slave_caps *caps)
{
	caps->directions = BIT(to_channel(chan)->direction);
}

/* The link cannot be told to end a transfer; what is under way ends unnoticed. */
static int link_dma_terminate_all(struct dma_chan *chan)
{
	struct link_channel *channel = to_channel(chan);
	LIST_HEAD(terminated);
	unsigned long flags;

	spin_lock_irqsave(&channel->lock, flags);
	if (channel->active)
		list_add(&channel->active->node, &terminated);
	channel->active = NULL;
	list_splice_tail_init(&channel->issued, &terminated);
	list_splice_tail_init(&channel->submitted, &terminated);
	spin_unlock_irqrestore(&channel->lock, flags);
	free_descriptors(&terminated);
	return 0;
}

static bool is_quiet(struct link_channel *channel)
{
	bool quiet;

	spin_lock_irq(&channel->lock);
	advance(channel);
	quiet = !channel->transfer || !channel->under_way;
	spin_unlock_irq(&channel->lock);
	return quiet;
}

/* After this the client frees the memory of what it terminated. */
static void link_dma_synchronize(struct dma_chan *chan)
{
	struct link_channel *channel = to_channel(chan);
	bool quiet;

	if (read_poll_timeout(is_quiet, quiet, quiet, 100, QUIESCE_US, false, channel))
		dev_warn(chan->device->dev, "DMA channel %d: a transfer does not end\n",
			 channel->number);
	tasklet_kill(&channel->tasklet);
}

static void link_dma_free_chan_resources(struct dma_chan *chan)
{
	struct link_channel *channel = to_channel(chan);
	LIST_HEAD(unused);

	link_dma_terminate_all(chan);
	link_dma_synchronize(chan);
	spin_lock_irq(&channel->lock);
	list_splice_init(&channel->prepared, &unused);
	list_splice_init(&channel->finished, &unused);
	spin_unlock_irq(&channel->lock);
	free_descriptors(&unused);
}

static void link_dma_release(struct dma_device *device)
{
	kfree(container_of(device, struct link_dma, device));
}

/* ---- For the driver ---- */

static void take_interrupt(struct link_dma *dma)
{
	if (!dma)
		return;
	for (unsigned int i = 0; i < dma->count; i++) {
		struct link_channel *channel = &dma->channels[i];

		spin_lock(&channel->lock);
		advance(channel);
		spin_unlock(&channel->lock);
	}
}

/**
 * link_dma_interrupt() - a transfer may have ended
 * @link: the controller
 *
 * Context: Interrupt.
 */
void link_dma_interrupt(struct link *link)
{
	take_interrupt(link->slave);
	take_interrupt(link->memcpy);
}

static struct link_dma *new_dma(struct link *link, unsigned int count)
{
	struct link_dma *dma = kzalloc(struct_size(dma, channels, count), GFP_KERNEL);
	struct dma_device *device;

	if (!dma)
		return NULL;
	dma->count = count;
	dma->link = link;
	dma->window_base = link->vepc.window_base;
	dma->window_bus = pci_bus_address(link->pdev, LINK_WINDOW_BAR);
	dma->window_size = link->vepc.window_size;

	device = &dma->device;
	INIT_LIST_HEAD(&device->channels);
	/* By request only: not for the kernel's own copies. */
	dma_cap_set(DMA_PRIVATE, device->cap_mask);
	/* A channel's device is the controller's parent, by which function drivers choose it. */
	device->dev = &link->pdev->dev;
	device->residue_granularity = DMA_RESIDUE_GRANULARITY_DESCRIPTOR;
	device->device_issue_pending = link_dma_issue_pending;
	device->device_tx_status = link_dma_tx_status;
	device->device_terminate_all = link_dma_terminate_all;
	device->device_synchronize = link_dma_synchronize;
	device->device_free_chan_resources = link_dma_free_chan_resources;
	device->device_release = link_dma_release;
	return dma;
}

static void add_channel(struct link_dma *dma, unsigned int index, unsigned int number,
			enum dma_transfer_direction direction)
{
	struct link_channel *channel = &dma->channels[index];

	channel->dma = dma;
	channel->number = number;
	channel->direction = direction;
	channel->transfer = &dma->link->shared->transfers[number];
	spin_lock_init(&channel->lock);
	tasklet_setup(&channel->tasklet, call_back);
	INIT_LIST_HEAD(&channel->prepared);
	INIT_LIST_HEAD(&channel->submitted);
	INIT_LIST_HEAD(&channel->issued);
	INIT_LIST_HEAD(&channel->finished);
	channel->chan.device = &dma->device;
	channel->chan.cookie = DMA_MIN_COOKIE;
	channel->chan.completed_cookie = DMA_MIN_COOKIE;
	list_add_tail(&channel->chan.device_node, &dma->device.channels);
}

/* A controller without channels is of use, too: drivers then go through windows. */
static struct link_dma *register_dma(struct link_dma *dma, const char *kind)
{
	int status = dma_async_device_register(&dma->device);

	if (!status)
		return dma;
	dev_warn(dma->device.dev, "no DMA channels (%s): error %d\n", kind, status);
	kfree(dma);
	return NULL;
}

/* Drivers take a pair of channels for each function. */
static struct link_dma *add_slave(struct link *link)
{
	unsigned int pairs = min(link->vepc.max_functions, LINK_CHANNEL_PAIRS);
	struct link_dma *dma = new_dma(link, 2 * pairs);
	struct dma_device *device;

	if (!dma)
		return NULL;
	device = &dma->device;
	dma_cap_set(DMA_SLAVE, device->cap_mask);
	device->directions = BIT(DMA_MEM_TO_DEV) | BIT(DMA_DEV_TO_MEM);
	device->src_addr_widths = BIT(DMA_SLAVE_BUSWIDTH_1_BYTE) | BIT(DMA_SLAVE_BUSWIDTH_2_BYTES) |
				  BIT(DMA_SLAVE_BUSWIDTH_4_BYTES) | BIT(DMA_SLAVE_BUSWIDTH_8_BYTES);
	device->dst_addr_widths = device->src_addr_widths;
	device->device_caps = link_dma_caps;
	device->device_config = link_dma_config;
	device->device_prep_slave_sg = link_dma_prep_slave_sg;
	for (unsigned int pair = 0; pair < pairs; pair++) {
		add_channel(dma, 2 * pair, LINK_CHANNEL_TO_HOST(pair), DMA_MEM_TO_DEV);
		add_channel(dma, 2 * pair + 1, LINK_CHANNEL_FROM_HOST(pair), DMA_DEV_TO_MEM);
	}
	return register_dma(dma, "host");
}

/* A separate device: otherwise a client that requests DMA_MEMCPY would get a channel to the host. */
static struct link_dma *add_memcpy(struct link *link)
{
	struct link_dma *dma = new_dma(link, 1);

	if (!dma)
		return NULL;
	dma_cap_set(DMA_MEMCPY, dma->device.cap_mask);
	dma->device.directions = BIT(DMA_MEM_TO_MEM);
	dma->device.device_prep_dma_memcpy = link_dma_prep_memcpy;
	add_channel(dma, 0, LINK_CHANNEL_COPY, DMA_MEM_TO_MEM);
	return register_dma(dma, "memory");
}

/**
 * link_dma_add() - register the channels that the parameters want
 * @link: the controller
 */
void link_dma_add(struct link *link)
{
	if (dma)
		link->slave = add_slave(link);
	if (dma_memcpy)
		link->memcpy = add_memcpy(link);
}

static void remove_dma(struct link_dma *dma)
{
	if (!dma)
		return;
	for (unsigned int i = 0; i < dma->count; i++) {
		struct link_channel *channel = &dma->channels[i];

		link_dma_terminate_all(&channel->chan);
		link_dma_synchronize(&channel->chan);
		spin_lock_irq(&channel->lock);
		channel->transfer = NULL;
		fail_all(channel);
		spin_unlock_irq(&channel->lock);
	}
	/* Frees it, unless a client still has a channel. */
	dma_async_device_unregister(&dma->device);
}

/**
 * link_dma_remove() - take the channels away
 * @link: the controller, whose interrupt is free
 */
void link_dma_remove(struct link *link)
{
	remove_dma(link->slave);
	remove_dma(link->memcpy);
	link->slave = NULL;
	link->memcpy = NULL;
}
