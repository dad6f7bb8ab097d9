/* A switch in user space: a thread that carries IPv4 packets between TUN devices, and does to them what
 * each wire is told to do. A wire leads in one direction from one port to another. */
#ifndef SWITCH_H
#define SWITCH_H

#include <stdbool.h>
#include <stdint.h>

enum { SWITCH_PORTS_MAX = 16 };

typedef struct {
    bool cut;             /* packets vanish, nobody is told */
    uint32_t flap_ms;     /* cut in every second span of so many; 0: never */
    uint32_t delay_ms;    /* of every packet */
    uint32_t bytes_per_s; /* 0: as many as there are */
    uint32_t loss_ppm;    /* of a million packets so many vanish, */
    uint32_t double_ppm;  /* arrive twice, */
    uint32_t reorder_ppm; /* are overtaken by later ones, */
    uint32_t reset_ppm;   /* become TCP resets, */
    uint32_t flip_ppm;    /* have another bit in the payload of TCP, and a checksum that fits */
} switch_wire;

typedef struct {
    uint64_t carried;
    uint64_t lost; /* cut, lost, or over the room of a slow wire */
    uint64_t doubled;
    uint64_t reordered;
    uint64_t reset;
    uint64_t flipped;
} switch_counts;

/* device: the descriptor of a TUN device without packet information, which does not block. Before
 * switch_start(). */
void switch_add_port(unsigned port, int device);

/* Packets for this address go to that port. Addresses differ in their last byte. */
void switch_add_address(unsigned port, uint32_t address);

/* Starts the thread, which ends with the process. Says why on standard error and returns false when it
 * cannot. */
bool switch_start(uint64_t seed);

/* Afterwards, from one thread. */
void switch_set_wire(unsigned from, unsigned to, const switch_wire *wire);
switch_counts switch_get_counts(void);

/* Behind this one address and port stand `count` servers: each new connection to it goes to the next,
 * seen there as one from the address itself. */
enum { SWITCH_SERVERS_MAX = 16 };
void switch_set_servers(uint32_t address, const uint32_t *servers, unsigned count);

#endif
