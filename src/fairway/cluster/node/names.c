/* Preloaded into pods beside `guard.c`: the cluster's names resolve, and a pod is called by its own.
 *
 * getaddrinfo, gethostbyname   and its kin look for a name in FAIRWAY_HOSTS ("NAME=ADDRESS NAME=ADDRESS": the pod's own
 *                              and its hostAliases) and in the file FAIRWAY_NAMES, which the node keeps current. What is
 *                              there is asked of the C library by its address; every other name as it is.
 * gethostname, uname           say HOSTNAME, as long as FAIRWAY_POD_IP says that this is a pod.
 *
 * A line of the file is "SERVICE.NAMESPACE ADDRESS..." or "HOST.SERVICE.NAMESPACE ADDRESS"; instead of addresses there
 * may be another name. It is read again each time, so that a name is there without a restart. Names are completed as
 * a pod's resolv.conf has it: with FAIRWAY_NAMESPACE, and without `.svc` and `.svc.cluster.local`.
 *
 * Like the guard it is linked with no C library, and is content with what an old one or another one has.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

enum answer { ELSEWHERE, KNOWN, NOWHERE };

#define LONGEST_NAME 256
#define MOST_BYTES 4096

/* Which of them there is depends on the C library and its age. */
extern void *dlsym(void *, const char *) __attribute__((weak));
extern void *__libc_dlopen_mode(const char *, int) __attribute__((weak));
extern void *__libc_dlsym(void *, const char *) __attribute__((weak));
extern const char *gnu_get_libc_version(void) __attribute__((weak));

/* The C library's own function of that name. */
static void *next(const char *name)
{
    if (dlsym)
        return dlsym((void *)-1L, name);
    if (__libc_dlopen_mode && __libc_dlsym)
        return __libc_dlsym(__libc_dlopen_mode("libc.so.6", 2), name);
    return NULL;
}

/* Cut `suffix` off, and say whether it was there. */
static int cut(char *name, const char *suffix)
{
    size_t length = strlen(name), end = strlen(suffix);
    if (length <= end || strcmp(name + length - end, suffix))
        return 0;
    name[length - end] = 0;
    return 1;
}

/* The value of FAIRWAY_HOSTS for exactly that name. */
static int own(const char *name, char *value, size_t room)
{
    const char *text = getenv("FAIRWAY_HOSTS");
    size_t length = strlen(name);
    while (text && *text) {
        size_t whole = strcspn(text, " ");
        if (whole > length && text[length] == '=' && !strncmp(text, name, length) && whole - length - 1 < room) {
            memcpy(value, text + length + 1, whole - length - 1);
            value[whole - length - 1] = 0;
            return 1;
        }
        text += whole + strspn(text + whole, " ");
    }
    return 0;
}

/* The rest of the line that begins with that key, where there is one. */
static int line_of(const char *table, size_t size, const char *key, char *value, size_t room)
{
    char start[2 * LONGEST_NAME + 4];
    int length = snprintf(start, sizeof start, "\n%s ", key);
    const char *found = memmem(table, size, start, (size_t)length);
    if (!found)
        return 0;
    found += length;
    const char *end = memchr(found, '\n', size - (size_t)(found - table));
    size_t whole = end ? (size_t)(end - found) : 0;
    if (!whole)
        return 0;
    if (whole >= room)
        whole = room - 1;
    memcpy(value, found, whole);
    value[whole] = 0;
    return 1;
}

static int in_table(const char *table, size_t size, const char *name, int complete, char *value, size_t room)
{
    const char *namespace = getenv("FAIRWAY_NAMESPACE");
    if (!complete && namespace && *namespace) {
        char key[2 * LONGEST_NAME];
        snprintf(key, sizeof key, "%s.%s", name, namespace);
        if (line_of(table, size, key, value, room))
            return 1;
    }
    return line_of(table, size, name, value, room);
}

static int in_file(const char *name, int complete, char *value, size_t room)
{
    const char *path = getenv("FAIRWAY_NAMES");
    int file = path && *path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return 0;
    off_t size = lseek(file, 0, SEEK_END);
    void *table = size > 0 ? mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
    close(file);
    if (table == MAP_FAILED)
        return 0;
    int found = in_table(table, (size_t)size, name, complete, value, room);
    munmap(table, (size_t)size);
    return found;
}

/* KNOWN with the addresses, or the name, that stand for `asked`; NOWHERE for a name of the cluster that nobody has. */
static enum answer look_up(const char *asked, char *value, size_t room)
{
    struct in_addr address;
    size_t length = asked ? strlen(asked) : 0;
    if (!length || length >= LONGEST_NAME || strchr(asked, ':') || inet_pton(AF_INET, asked, &address) == 1)
        return ELSEWHERE;
    char name[LONGEST_NAME];
    for (size_t at = 0; at <= length; at++)
        name[at] = (char)tolower((unsigned char)asked[at]);
    int rooted = cut(name, ".");
    if (own(name, value, room))
        return KNOWN;
    int complete = cut(name, ".svc.cluster.local") || (!rooted && cut(name, ".svc"));
    if (rooted && !complete)
        return ELSEWHERE;
    if (in_file(name, complete, value, room))
        return KNOWN;
    return complete && getenv("FAIRWAY_NAMES") ? NOWHERE : ELSEWHERE;
}

/* The next word of `text`, ended in place; NULL after the last. */
static char *word(char **text)
{
    char *begin = *text + strspn(*text, " ");
    if (!*begin)
        return NULL;
    char *end = begin + strcspn(begin, " ");
    *text = *end ? end + 1 : end;
    *end = 0;
    return begin;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = next("getaddrinfo");
    if (!real)
        return EAI_FAIL;
    char value[MOST_BYTES], *rest = value;
    enum answer answer = ELSEWHERE;
    if (node && !(hints && hints->ai_flags & AI_NUMERICHOST))
        answer = look_up(node, value, sizeof value);
    if (answer == NOWHERE)
        return EAI_NONAME;
    if (answer == ELSEWHERE)
        return real(node, service, hints, result);

    struct addrinfo *first = NULL, **last = &first;
    int failed = EAI_NONAME;
    for (char *one = word(&rest); one; one = word(&rest)) {
        int told = real(one, service, hints, last);
        if (told) {
            failed = first ? failed : told;
            *last = NULL;
            continue;
        }
        while (*last)
            last = &(*last)->ai_next;
        if (!gnu_get_libc_version) /* elsewhere a list is one piece of memory, and not to be joined to another */
            break;
    }
    if (!first)
        return failed;
    if (first->ai_canonname && gnu_get_libc_version) {
        char *name = strdup(node);
        if (name) {
            free(first->ai_canonname);
            first->ai_canonname = name;
        }
    }
    *result = first;
    return 0;
}

/* What to ask the C library for instead of `name`; NULL where there is nothing to ask for. */
static const char *instead(const char *name, char *value, size_t room)
{
    char *rest = value;
    switch (look_up(name, value, room)) {
    case NOWHERE:
        return NULL;
    case KNOWN:
        return word(&rest);
    default:
        return name;
    }
}

struct hostent *gethostbyname2(const char *name, int family)
{
    struct hostent *(*real)(const char *, int) = next("gethostbyname2");
    char value[MOST_BYTES];
    const char *asked = instead(name, value, sizeof value);
    if (asked && real)
        return real(asked, family);
    h_errno = HOST_NOT_FOUND;
    return NULL;
}

struct hostent *gethostbyname(const char *name)
{
    struct hostent *(*real)(const char *) = next("gethostbyname");
    char value[MOST_BYTES];
    const char *asked = instead(name, value, sizeof value);
    if (asked && real)
        return real(asked);
    h_errno = HOST_NOT_FOUND;
    return NULL;
}

int gethostbyname2_r(const char *name, int family, struct hostent *entry, char *buffer, size_t size,
                     struct hostent **result, int *problem)
{
    int (*real)(const char *, int, struct hostent *, char *, size_t, struct hostent **, int *) =
        next("gethostbyname2_r");
    char value[MOST_BYTES];
    const char *asked = instead(name, value, sizeof value);
    if (asked && real)
        return real(asked, family, entry, buffer, size, result, problem);
    *result = NULL;
    *problem = HOST_NOT_FOUND;
    return 0;
}

int gethostbyname_r(const char *name, struct hostent *entry, char *buffer, size_t size, struct hostent **result,
                    int *problem)
{
    return gethostbyname2_r(name, AF_INET, entry, buffer, size, result, problem);
}

int uname(struct utsname *about)
{
    int done = (int)syscall(SYS_uname, about);
    const char *name = getenv("HOSTNAME");
    if (!done && name && *name && getenv("FAIRWAY_POD_IP") && strlen(name) < sizeof about->nodename)
        strcpy(about->nodename, name);
    return done;
}

int gethostname(char *name, size_t room)
{
    struct utsname about;
    if (uname(&about))
        return -1;
    size_t whole = strlen(about.nodename) + 1;
    memcpy(name, about.nodename, whole < room ? whole : room);
    if (whole <= room)
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}
