// packet-delay QUEUE DELAY_MS JITTER_MS
//
// Holds each packet that the kernel puts into a netfilter queue of this network namespace for DELAY_MS, plus a random
// part of JITTER_MS of its own, and then lets it go on; with jitter, packets overtake each other. Prints "ready" once
// the queue is its own. Ends when its standard input does, and lets all held packets go before that.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HELD_MAX 65536
#define NOTICES_BYTES (8 << 20)
#define NS_PER_MS 1000000LL

struct held {
	int64_t due;	 // CLOCK_MONOTONIC, ns
	uint64_t number; // Of arrival: packets due at the same time keep their order.
	uint32_t id;
};

// A binary heap, the packet due first at its root.
static struct held heap[HELD_MAX];
static size_t held_count;
static uint64_t arrivals;
static int64_t delay_ns, jitter_ns;

static int64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 * NS_PER_MS + time.tv_nsec;
}

static int earlier(struct held a, struct held b)
{
	return a.due != b.due ? a.due < b.due : a.number < b.number;
}

static void push(struct held packet)
{
	size_t at = held_count++;
	for (size_t parent; at > 0 && earlier(packet, heap[parent = (at - 1) / 2]); at = parent)
		heap[at] = heap[parent];
	heap[at] = packet;
}

static uint32_t pop(void)
{
	uint32_t id = heap[0].id;
	struct held last = heap[--held_count];
	size_t at = 0;
	for (size_t child; (child = 2 * at + 1) < held_count; at = child) {
		if (child + 1 < held_count && earlier(heap[child + 1], heap[child]))
			child++;
		if (!earlier(heap[child], last))
			break;
		heap[at] = heap[child];
	}
	heap[at] = last;
	return id;
}

static int on_packet(struct nfq_q_handle *queue, struct nfgenmsg *message, struct nfq_data *data, void *context)
{
	(void)message;
	(void)context;
	uint32_t id = ntohl(nfq_get_msg_packet_hdr(data)->packet_id);
	// More than can be held: better early than never.
	if (held_count == HELD_MAX)
		return nfq_set_verdict(queue, id, NF_ACCEPT, 0, NULL);
	int64_t extra = jitter_ns == 0 ? 0 : (int64_t)(drand48() * (double)jitter_ns);
	push((struct held){.due = now() + delay_ns + extra, .number = arrivals++, .id = id});
	return 0;
}

static int milliseconds(const char *text, int64_t *ns)
{
	char *end;
	long value = strtol(text, &end, 10);
	*ns = value * NS_PER_MS;
	return *text != 0 && *end == 0 && value >= 0 && value <= 3600000;
}

int main(int count, char **args)
{
	if (count != 4 || !milliseconds(args[2], &delay_ns) || !milliseconds(args[3], &jitter_ns)) {
		fprintf(stderr, "usage: packet-delay QUEUE DELAY_MS JITTER_MS\n");
		return 2;
	}
	long seed = now();
	if (getrandom(&seed, sizeof seed, 0) < 0)
		perror("getrandom");
	srand48(seed);

	struct nfq_handle *handle = nfq_open();
	struct nfq_q_handle *queue = handle ? nfq_create_queue(handle, (uint16_t)atoi(args[1]), on_packet, NULL) : NULL;
	if (!queue) {
		perror("cannot take the packet queue");
		return 1;
	}
	// Packets' content is no business of ours, and segments that the kernel keeps together stay together.
	nfq_set_mode(queue, NFQNL_COPY_META, 0);
	nfq_set_queue_flags(queue, NFQA_CFG_F_GSO, NFQA_CFG_F_GSO);
	nfq_set_queue_maxlen(queue, HELD_MAX);
	setsockopt(nfq_fd(handle), SOL_SOCKET, SO_RCVBUFFORCE, &(int){NOTICES_BYTES}, sizeof(int));
	puts("ready");
	fflush(stdout);

	static char buffer[65536] __attribute__((aligned));
	struct pollfd inputs[] = {{.fd = nfq_fd(handle), .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
	for (int ending = 0; !ending;) {
		int64_t wait = held_count == 0 ? 1000 * NS_PER_MS : heap[0].due - now();
		if (wait < 0)
			wait = 0;
		struct timespec timeout = {wait / (1000 * NS_PER_MS), wait % (1000 * NS_PER_MS)};
		if (ppoll(inputs, 2, &timeout, NULL) < 0) {
			if (errno != EINTR)
				return 1;
			continue;
		}
		if (inputs[1].revents != 0)
			ending = read(STDIN_FILENO, buffer, sizeof buffer) <= 0;
		// Notices that did not fit into the socket's buffer are lost (ENOBUFS); their packets stay in the kernel's queue,
		// which is lost traffic like any other.
		for (ssize_t size; (size = recv(inputs[0].fd, buffer, sizeof buffer, MSG_DONTWAIT)) >= 0 || errno == ENOBUFS;)
			if (size > 0)
				nfq_handle_packet(handle, buffer, (int)size);
		while (held_count > 0 && (ending || heap[0].due <= now()))
			nfq_set_verdict(queue, pop(), NF_ACCEPT, 0, NULL);
	}
	nfq_destroy_queue(queue);
	nfq_close(handle);
	return 0;
}
