/* The load generator: N subscribers and some publishers over plain sockets, in one thread with epoll.
 *
 * It knows no protocol. A handshake is a text to send and a mark to wait for; a delivery is one occurrence of a mark in
 * what a subscriber receives; an answer one occurrence of another in what a publisher receives.
 *
 *   load PORT SUBSCRIBERS GROUPS HANDSHAKE READY MARK PUBLISHERS PUBLISHER_HANDSHAKE PUBLISHER_READY ANSWER
 *
 * "{n}" in HANDSHAKE becomes the subscriber's number modulo GROUPS. Prints "ready SECONDS" when all are open. Then, for
 * each line "run FILE FLIGHT PER" on standard input, it publishes the requests in FILE (each behind its length, 32 bits
 * little endian), FLIGHT at a time, each to be delivered PER times, and prints
 *   done SECONDS DELIVERIES BYTES READS P50_US P99_US
 * where the last two, from send to last delivery, are given with one in flight. For a line "wait DELIVERIES" it prints
 * "waiting", and "done" when so many have come of what others publish from then on. The end of input ends it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { OPENING = 64, MAX_MARK = 64, CHUNK = 1 << 18, EVENTS = 512, STALL_MS = 20000 };

struct connection {
    int fd;
    int publisher;
    int ready;
    int busy;
    size_t kept; /* bytes of an unfinished mark, from the end of the last read */
    char tail[MAX_MARK];
};

struct run {
    char *data;
    size_t size, at;
    long count, sent, answered, deliveries, flight, per;
    long long bytes, reads;
    double *took, sent_at;
};

static int poller, port;
static long subscribers, publishers, opened, ready_count;
static const char *mark, *answer, *sub_ready, *pub_ready;
static struct connection *connections;
static struct run current;
static char line[4096];
static size_t line_size;
static char room[MAX_MARK + CHUNK];

static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void watch(int fd, void *pointer) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = pointer};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl: %s", strerror(errno));
}

static void put(struct connection *to, const char *data, size_t size) {
    if (send(to->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size) fail("a request could not be sent whole");
}

static void open_connection(struct connection *made, const char *handshake, long group) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    made->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (made->fd < 0) fail("socket: %s", strerror(errno));
    if (connect(made->fd, (struct sockaddr *)&address, sizeof address)) fail("connect: %s", strerror(errno));
    setsockopt(made->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(made->fd, F_SETFL, O_NONBLOCK);
    const char *hole = strstr(handshake, "{n}");
    char text[4096];
    int size = hole ? snprintf(text, sizeof text, "%.*s%ld%s", (int)(hole - handshake), handshake, group, hole + 3)
                    : snprintf(text, sizeof text, "%s", handshake);
    if (size >= (int)sizeof text) fail("the handshake is too long");
    if (size) put(made, text, (size_t)size);
    else { made->ready = 1; ready_count++; }
    watch(made->fd, made);
    opened++;
}

/* Count marks in what is new, and keep what may be the beginning of one. */
static void scan(struct connection *at, size_t size) {
    char *here = room + MAX_MARK - at->kept, *end = room + MAX_MARK + size;
    memcpy(here, at->tail, at->kept);
    const char *wanted = at->publisher ? answer : mark;
    if (!at->ready) {
        const char *opening = at->publisher ? pub_ready : sub_ready;
        char *found = memmem(here, (size_t)(end - here), opening, strlen(opening));
        if (found) {
            at->ready = 1;
            ready_count++;
            here = found + strlen(opening);
        } else {
            wanted = opening;
        }
    }
    size_t length = strlen(wanted);
    if (at->ready) {
        char *found;
        while ((found = memmem(here, (size_t)(end - here), wanted, length))) {
            here = found + length;
            if (!at->publisher) current.deliveries++;
            else { current.answered++; at->busy = 0; }
        }
        if (at->publisher && at->busy && memmem(here, (size_t)(end - here), "HTTP/1.", 7))
            fail("a publish was refused: %.*s", (int)(end - here), here);
    }
    at->kept = (size_t)(end - here) < length - 1 ? (size_t)(end - here) : length - 1;
    memcpy(at->tail, end - at->kept, at->kept);
}

static void read_input(void) {
    ssize_t size = read(0, line + line_size, sizeof line - line_size - 1);
    if (size <= 0) exit(0);
    line_size += (size_t)size;
    line[line_size] = 0;
}

/* Wait for something and take it; returns 0 when nothing came in time. */
static int turn(int milliseconds) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(poller, events, EVENTS, milliseconds);
    for (int n = 0; n < count; n++) {
        struct connection *at = events[n].data.ptr;
        if (!at) {
            read_input();
            continue;
        }
        ssize_t size = recv(at->fd, room + MAX_MARK, CHUNK, 0);
        if (size < 0 && errno == EAGAIN) continue;
        if (size <= 0) fail("the server ended %s %s", at->publisher ? "a publisher" : "a subscriber", at->tail);
        current.bytes += size;
        current.reads++;
        scan(at, (size_t)size);
    }
    return count;
}

static void open_all(const char *handshake, long groups, const char *publisher_handshake) {
    double began = now();
    for (long n = 0; n < subscribers + publishers; n++) {
        connections[n].publisher = n >= subscribers;
        if (connections[n].publisher) open_connection(&connections[n], publisher_handshake, 0);
        else open_connection(&connections[n], handshake, n % groups);
        while (opened - ready_count >= OPENING)
            if (!turn(STALL_MS)) fail("a handshake has no answer");
    }
    while (ready_count < opened)
        if (!turn(STALL_MS)) fail("%ld of %ld connections are open", ready_count, opened);
    printf("ready %.3f\n", now() - began);
    fflush(stdout);
}

static void publish(struct connection *by) {
    uint32_t size;
    memcpy(&size, current.data + current.at, 4);
    put(by, current.data + current.at + 4, size);
    current.at += 4 + size;
    current.sent++;
    by->busy = 1;
    current.sent_at = now();
}

/* Publishers take turns, so that none is quiet for long: a server may end a connection that asks nothing. */
static void publish_due(void) {
    /* One at a time means all have it. More in flight go by the answers, but never far ahead of the deliveries. */
    long allowed = current.flight == 1 ? 0 : (2 * current.flight - 1) * current.per;
    for (long n = 0; n < publishers && current.sent < current.count; n++) {
        struct connection *by = &connections[subscribers + (current.sent + n) % publishers];
        if (current.sent - current.answered >= current.flight) return;
        if (current.sent * current.per - current.deliveries > allowed) return;
        if (!by->busy) publish(by);
    }
}

static void load_requests(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) fail("%s: %s", path, strerror(errno));
    fseek(file, 0, SEEK_END);
    current.size = (size_t)ftell(file);
    rewind(file);
    current.data = malloc(current.size + 4);
    if (fread(current.data, 1, current.size, file) != current.size) fail("%s: short", path);
    fclose(file);
    for (size_t at = 0; at < current.size; current.count++) {
        uint32_t size;
        memcpy(&size, current.data + at, 4);
        at += 4 + size;
    }
}

static int by_size(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void run(const char *path, long flight, long per) {
    memset(&current, 0, sizeof current);
    current.flight = flight;
    current.per = per;
    load_requests(path);
    current.took = calloc((size_t)current.count + 1, sizeof(double));
    double began = now();
    long told = 0;
    while (current.answered < current.count || current.deliveries < current.count * per) {
        publish_due();
        if (!turn(STALL_MS)) fail("stalled: %ld of %ld answered, %ld delivered", current.answered, current.count, current.deliveries);
        if (flight == 1 && current.sent > told && current.answered == current.sent && current.deliveries == current.sent * per)
            current.took[told++] = now() - current.sent_at;
    }
    double seconds = now() - began;
    qsort(current.took, (size_t)told, sizeof(double), by_size);
    double p50 = told ? current.took[told / 2] * 1e6 : 0, p99 = told ? current.took[told * 99 / 100] * 1e6 : 0;
    printf("done %.6f %ld %lld %lld %.1f %.1f\n", seconds, current.deliveries, current.bytes, current.reads, p50, p99);
    fflush(stdout);
    free(current.data);
    free(current.took);
}

/* Deliveries of what somebody else publishes, once we have said that we count. */
static void await(long deliveries) {
    memset(&current, 0, sizeof current);
    printf("waiting\n");
    fflush(stdout);
    double began = now();
    while (current.deliveries < deliveries)
        if (!turn(STALL_MS)) fail("stalled: %ld of %ld delivered", current.deliveries, deliveries);
    printf("done %.6f %ld %lld %lld 0 0\n", now() - began, current.deliveries, current.bytes, current.reads);
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc != 11) fail("takes 10 arguments");
    port = atoi(argv[1]);
    subscribers = atol(argv[2]);
    sub_ready = argv[5];
    mark = argv[6];
    publishers = atol(argv[7]);
    pub_ready = argv[9];
    answer = argv[10];
    if (strlen(mark) >= MAX_MARK || strlen(answer) >= MAX_MARK || strlen(sub_ready) >= MAX_MARK) fail("a mark is too long");
    connections = calloc((size_t)(subscribers + publishers), sizeof *connections);
    poller = epoll_create1(0);
    watch(0, NULL);
    open_all(argv[4], atol(argv[3]), argv[8]);
    for (;;) {
        char *end = memchr(line, '\n', line_size);
        if (!end) {
            turn(-1);
            continue;
        }
        char path[2048];
        long flight, per, deliveries = 0;
        if (sscanf(line, "run %2047s %ld %ld", path, &flight, &per) != 3 && sscanf(line, "wait %ld", &deliveries) != 1)
            fail("not understood: %s", line);
        line_size -= (size_t)(end + 1 - line);
        memmove(line, end + 1, line_size);
        if (deliveries) await(deliveries);
        else run(path, flight, per);
    }
}
