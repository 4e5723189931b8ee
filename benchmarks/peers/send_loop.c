/* The floor: what the kernel asks for a fan-out. Frames a message once and calls send() for every subscriber.
 *
 * GET /ws subscribes over WebSocket, GET /events over Server-Sent Events, POST publishes its body. No limits, no checks,
 * no handling of slow readers: it is a ruler, not a server. Prints its port. The end of input ends it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { ROOM = 8192, EVENTS = 512, MAX_FD = 65536, BACKLOG = 1024 };

struct peer {
    int fd;
    size_t size;
    char data[ROOM];
};

static int poller, sockets[MAX_FD], streams[MAX_FD];
static size_t socket_count, stream_count;

/* The accept value of RFC 6455's sample key, which the load generator sends. */
static const char UPGRADED[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static const char STREAM[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void put(int fd, const void *data, size_t size) {
    if (send(fd, data, size, MSG_NOSIGNAL) != (ssize_t)size) fail("send");
}

static void publish(const char *body, size_t size) {
    unsigned char frame[ROOM + 8];
    size_t head = size < 126 ? 2 : 4;
    frame[0] = 0x81;
    frame[1] = size < 126 ? (unsigned char)size : 126;
    if (head == 4) { frame[2] = (unsigned char)(size >> 8); frame[3] = (unsigned char)size; }
    memcpy(frame + head, body, size);
    for (size_t n = 0; n < socket_count; n++) put(sockets[n], frame, head + size);

    char event[ROOM + 32], chunk[ROOM + 64];
    int length = snprintf(event, sizeof event, "data: %.*s\n\n", (int)size, body);
    int whole = snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n", length, event);
    for (size_t n = 0; n < stream_count; n++) put(streams[n], chunk, (size_t)whole);
}

/* Answer one whole request at the front of what was read; returns 0 when there is none. */
static int answer(struct peer *at) {
    char *end = memmem(at->data, at->size, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t used = (size_t)(end + 4 - at->data);
    if (!strncmp(at->data, "GET /ws", 7)) {
        put(at->fd, UPGRADED, sizeof UPGRADED - 1);
        sockets[socket_count++] = at->fd;
    } else if (!strncmp(at->data, "GET /events", 11)) {
        put(at->fd, STREAM, sizeof STREAM - 1);
        streams[stream_count++] = at->fd;
    } else {
        char *length = memmem(at->data, used, "Content-Length: ", 16);
        size_t body = length ? (size_t)atol(length + 16) : 0;
        if (at->size < used + body) return 0;
        publish(end + 4, body);
        put(at->fd, ANSWER, sizeof ANSWER - 1);
        used += body;
    }
    at->size -= used;
    memmove(at->data, at->data + used, at->size);
    return 1;
}

static void take(int listener) {
    int on = 1, fd = accept(listener, NULL, NULL);
    if (fd < 0) fail("accept");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    struct peer *made = calloc(1, sizeof *made);
    made->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = made};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

static int listen_on_any_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, BACKLOG)) fail("listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(void) {
    static struct peer input, entrance;
    poller = epoll_create1(0);
    entrance.fd = listen_on_any_port();
    struct epoll_event on_input = {.events = EPOLLIN, .data.ptr = &input};
    struct epoll_event on_entrance = {.events = EPOLLIN, .data.ptr = &entrance};
    epoll_ctl(poller, EPOLL_CTL_ADD, 0, &on_input);
    epoll_ctl(poller, EPOLL_CTL_ADD, entrance.fd, &on_entrance);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(poller, events, EVENTS, -1);
        for (int n = 0; n < count; n++) {
            struct peer *at = events[n].data.ptr;
            if (at == &input) return 0;
            if (at == &entrance) {
                take(entrance.fd);
                continue;
            }
            ssize_t size = recv(at->fd, at->data + at->size, ROOM - at->size, 0);
            if (size < 0 && errno == EAGAIN) continue;
            if (size <= 0) return 0; /* a subscriber left: the run is over */
            at->size += (size_t)size;
            while (answer(at)) {}
        }
    }
}
