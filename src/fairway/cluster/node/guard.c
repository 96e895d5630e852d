/* Preloaded into pods: each pod has an address of its own, and answers to its own user only.
 *
 * bind     to all interfaces becomes a bind to FAIRWAY_POD_IP, so that two pods may have the same port and none
 *          listens on the machine's network.
 * accept   on a loopback address, or from one, asks the kernel whose socket is at the other end, and closes it
 *          unless that is our own user or root: loopback addresses are open to every user otherwise. The caller's
 *          own address says nothing: it may be any of this machine's.
 *
 * Ports in FAIRWAY_GUARD_EXEMPT_PORTS ("8080,9090") are left as they are. Without FAIRWAY_POD_IP only accept is
 * guarded. FAIRWAY_GUARD_USER is the user who runs Fairway, who may be another than the one a container runs as.
 * Programs that are linked statically, or accept through io_uring, are not reached.
 *
 * It is mounted into containers, whose C library may be another one, or older: it is linked with none, asks the kernel
 * itself, and takes from whatever library it meets only what all of them have had for long.
 */

#define _DEFAULT_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum verdict { ALLOWED, REFUSED, UNKNOWN };

/* One end of a connection, all in network order. An IPv4 address is in the first word. */
struct end {
    sa_family_t family;
    uint32_t address[4];
    in_port_t port;
};

static int exempt(in_port_t port)
{
    const char *text = getenv("FAIRWAY_GUARD_EXEMPT_PORTS");
    while (text && *text) {
        char *after;
        unsigned long one = strtoul(text, &after, 10);
        if (after == text)
            return 0;
        if (one == ntohs(port))
            return 1;
        text = *after ? after + 1 : after;
    }
    return 0;
}

static int pod_address(struct in_addr *address)
{
    const char *text = getenv("FAIRWAY_POD_IP");
    return text && inet_pton(AF_INET, text, address) == 1;
}

/* An end of TCP, where it is one; the IPv4 form of an IPv6 socket's mapped address. */
static int to_end(const struct sockaddr_storage *from, struct end *to)
{
    memset(to, 0, sizeof *to);
    to->family = from->ss_family;
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
        to->address[0] = v4->sin_addr.s_addr;
        to->port = v4->sin_port;
        return 1;
    }
    if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
        memcpy(to->address, &v6->sin6_addr, sizeof to->address);
        to->port = v6->sin6_port;
        if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
            *to = (struct end){.family = AF_INET, .address = {to->address[3]}, .port = to->port};
        return 1;
    }
    return 0;
}

static int loopback(struct end end)
{
    if (end.family == AF_INET)
        return ntohl(end.address[0]) >> 24 == 127;
    return !memcmp(end.address, &in6addr_loopback, sizeof end.address);
}

/* A socket that its owner has closed already has no inode, and no user that could be told: it is refused, since
 * a stranger could send a request and close at once. */
static enum verdict judge(uid_t user, unsigned long inode)
{
    if (inode == 0)
        return REFUSED;
    const char *owner = getenv("FAIRWAY_GUARD_USER");
    int known = user == geteuid() || user == 0 || (owner && *owner && user == strtoul(owner, NULL, 10));
    return known ? ALLOWED : REFUSED;
}

static enum verdict ask_kernel(struct end peer, struct end ours)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 question;
    } request = {
        .header = {.nlmsg_len = sizeof request, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
        .question = {.sdiag_family = peer.family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = -1},
    };
    request.question.id.idiag_sport = peer.port;
    request.question.id.idiag_dport = ours.port;
    memcpy(request.question.id.idiag_src, peer.address, sizeof peer.address);
    memcpy(request.question.id.idiag_dst, ours.address, sizeof ours.address);
    request.question.id.idiag_cookie[0] = request.question.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;

    int channel = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (channel < 0)
        return UNKNOWN;
    char answer[4096] __attribute__((aligned(8)));
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t length = -1;
    if (sendto(channel, &request, sizeof request, 0, (struct sockaddr *)&kernel, sizeof kernel) > 0)
        length = recv(channel, answer, sizeof answer, 0);
    close(channel);
    const struct nlmsghdr *header = (const struct nlmsghdr *)answer;
    if (length < (ssize_t)NLMSG_LENGTH(sizeof(struct inet_diag_msg)) || header->nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return UNKNOWN;
    const struct inet_diag_msg *found = NLMSG_DATA(header);
    return judge(found->idiag_uid, found->idiag_inode);
}

/* An end as the kernel's tables write it: IPv4 in the IPv6 table is a mapped address. */
static void spell(char *text, size_t room, struct end end, int v6_table)
{
    uint32_t *word = end.address;
    if (!v6_table)
        snprintf(text, room, "%08X:%04X", word[0], ntohs(end.port));
    else if (end.family == AF_INET)
        snprintf(text, room, "0000000000000000%08X%08X:%04X", htonl(0xffff), word[0], ntohs(end.port));
    else
        snprintf(text, room, "%08X%08X%08X%08X:%04X", word[0], word[1], word[2], word[3], ntohs(end.port));
}

/* The same from a table that every kernel has; slower, so only where the question above is not understood. */
static enum verdict read_table(const char *path, int v6_table, struct end peer, struct end ours)
{
    FILE *table = fopen(path, "re");
    if (!table)
        return UNKNOWN;
    char wanted[2][64], line[512];
    spell(wanted[0], sizeof wanted[0], peer, v6_table);
    spell(wanted[1], sizeof wanted[1], ours, v6_table);
    enum verdict verdict = UNKNOWN;
    while (verdict == UNKNOWN && fgets(line, sizeof line, table)) {
        char local[64], remote[64];
        unsigned user;
        unsigned long inode;
        if (sscanf(line, " %*d: %63s %63s %*s %*s %*s %*s %u %*d %lu", local, remote, &user, &inode) == 4 &&
            !strcmp(local, wanted[0]) && !strcmp(remote, wanted[1]))
            verdict = judge(user, inode);
    }
    fclose(table);
    return verdict;
}

/* Whether the other end of an accepted connection may talk to us. What is not TCP, not from this machine or of an
 * owner that cannot be found out is let through: refusing is for what is certain. */
static int welcome(int connection)
{
    struct sockaddr_storage storage;
    struct end peer, ours;
    socklen_t length = sizeof storage;
    if (getpeername(connection, (struct sockaddr *)&storage, &length) || !to_end(&storage, &peer))
        return 1;
    length = sizeof storage;
    if (getsockname(connection, (struct sockaddr *)&storage, &length) || !to_end(&storage, &ours))
        return 1;
    if (!(loopback(peer) || loopback(ours)) || exempt(ours.port))
        return 1;
    enum verdict verdict = ask_kernel(peer, ours);
    if (verdict == UNKNOWN && peer.family == AF_INET)
        verdict = read_table("/proc/net/tcp", 0, peer, ours);
    if (verdict == UNKNOWN)
        verdict = read_table("/proc/net/tcp6", 1, peer, ours);
    return verdict != REFUSED;
}

static int real_bind(int fd, const void *address, socklen_t length)
{
    return (int)syscall(SYS_bind, fd, address, length);
}

static int bind_v6(int fd, const struct sockaddr_in6 *wanted, struct in_addr pod)
{
    struct sockaddr_in6 own = *wanted;
    int only_v6 = 0;
    socklen_t length = sizeof only_v6;
    getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, &length);
    if (!only_v6) {
        memset(&own.sin6_addr, 0, sizeof own.sin6_addr);
        own.sin6_addr.s6_addr[10] = own.sin6_addr.s6_addr[11] = 0xff;
        memcpy(&own.sin6_addr.s6_addr[12], &pod, 4);
        return real_bind(fd, &own, sizeof own);
    }
    /* The program listens on IPv4 as well, and that is where it is reached: pods have no IPv6 address. */
    own.sin6_addr = in6addr_loopback;
    own.sin6_port = 0;
    return real_bind(fd, &own, sizeof own);
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    struct in_addr pod;
    if (!address || !pod_address(&pod))
        return real_bind(fd, address, length);
    if (address->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in own = *(const struct sockaddr_in *)address;
        if (own.sin_addr.s_addr == htonl(INADDR_ANY) && !exempt(own.sin_port)) {
            own.sin_addr = pod;
            return real_bind(fd, &own, sizeof own);
        }
    }
    if (address->sa_family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
        const struct sockaddr_in6 *wanted = (const struct sockaddr_in6 *)address;
        if (IN6_IS_ADDR_UNSPECIFIED(&wanted->sin6_addr) && !exempt(wanted->sin6_port))
            return bind_v6(fd, wanted, pod);
    }
    return real_bind(fd, address, length);
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    socklen_t room = length ? *length : 0;
    for (;;) {
        int connection = (int)syscall(SYS_accept4, fd, address, length, flags);
        if (connection < 0 || welcome(connection))
            return connection;
        close(connection);
        if (length)
            *length = room;
    }
}

int accept(int fd, struct sockaddr *address, socklen_t *length)
{
    return accept4(fd, address, length, 0);
}
