/*
 * Random damage to a partition table, many times over: the selector must come to an end, write nothing but the two
 * tables, and never start one slot twice. Built with sanitizers, which watch the memory.
 *
 *   selector-fuzz DISK SECTOR_SIZE SEED COUNT
 *
 * Half of the damaged tables get correct CRCs again, so that what lies behind the CRC check is reached, too.
 */
#include "../bytes.h"
#include "../select.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DISK = 8 << 20, HEADER_CRC = 16, HEADER_BYTES = 92, ENTRIES_CRC = 88, MAX_STARTS = 2 };

struct host {
  uint8_t *bytes;
  uint64_t sectors;
  uint32_t sector_size;
  uint64_t random;
  uint32_t starts, lines, writes;
};

static void fail(const char *what) {
  fprintf(stderr, "selector-fuzz: %s\n", what);
  abort();
}

/* xorshift64: the same damage for the same seed, everywhere. */
static uint64_t next_random(struct host *host) {
  host->random ^= host->random << 13;
  host->random ^= host->random >> 7;
  host->random ^= host->random << 17;
  return host->random;
}

static uint8_t *place(struct host *host, uint64_t lba, uint32_t count) {
  if (lba >= host->sectors || count == 0 || count > host->sectors - lba) fail("access beyond the disk");
  return host->bytes + lba * host->sector_size;
}

static bool read_disk(void *context, uint64_t lba, uint32_t count, void *buffer) {
  struct host *host = context;
  memcpy(buffer, place(host, lba, count), (size_t)count * host->sector_size);
  return true;
}

/* Fails now and then, as real disks do. */
static bool write_disk(void *context, uint64_t lba, uint32_t count, const void *buffer) {
  struct host *host = context;
  if (lba == 0) fail("the protective MBR was written");
  if (++host->writes > 16) fail("too many writes");
  if (next_random(host) % 16 == 0) return false;
  memcpy(place(host, lba, count), buffer, (size_t)count * host->sector_size);
  return true;
}

static bool flush_disk(void *context) { return next_random(context) % 16 != 0; }

static void print(void *context, const char *line) {
  (void)line;
  if (++((struct host *)context)->lines > 32) fail("too many lines");
}

static bool start(void *context, char letter) {
  struct host *host = context;
  if (letter != 'A' && letter != 'B') fail("not a slot");
  if (++host->starts > MAX_STARTS) fail("a slot was started twice");
  return next_random(host) % 4 == 0;
}

static uint32_t crc32(const uint8_t *bytes, size_t length) {
  uint32_t crc = ~0u;
  for (size_t i = 0; i < length; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xedb88320u : crc >> 1;
  }
  return ~crc;
}

static void repair_crcs(struct host *host, uint64_t header_lba, uint64_t entries_lba) {
  uint8_t *header = place(host, header_lba, 1);
  put_u32(header + ENTRIES_CRC, crc32(place(host, entries_lba, 1), 128 * 128));
  put_u32(header + HEADER_CRC, 0);
  put_u32(header + HEADER_CRC, crc32(header, HEADER_BYTES));
}

static void damage(struct host *host, uint64_t backup_entries) {
  for (uint64_t changes = next_random(host) % 6 + 1; changes > 0; changes--) {
    static const uint8_t extremes[] = {0, 1, 0x7f, 0x80, 0xff};
    uint64_t where[] = {1, 1, 2, host->sectors - 1, host->sectors - 1, backup_entries};
    uint32_t reach = next_random(host) % 2 ? HEADER_BYTES : 1024;
    uint8_t *at = place(host, where[next_random(host) % 6], 1) + next_random(host) % reach % host->sector_size;
    *at = next_random(host) % 2 ? extremes[next_random(host) % 5] : (uint8_t)next_random(host);
  }
  if (next_random(host) % 2) return;
  repair_crcs(host, 1, 2);
  repair_crcs(host, host->sectors - 1, backup_entries);
}

int main(int argc, char **argv) {
  static uint8_t pristine[MAX_DISK], work[MAX_DISK];
  static struct gpt gpt;
  FILE *file = argc == 5 ? fopen(argv[1], "rb") : NULL;
  if (file == NULL) {
    fprintf(stderr, "usage: selector-fuzz DISK SECTOR_SIZE SEED COUNT\n");
    return 2;
  }
  size_t length = fread(pristine, 1, sizeof pristine, file);
  fclose(file);
  struct host host = {.bytes = work, .sector_size = (uint32_t)atoi(argv[2]), .random = strtoull(argv[3], NULL, 10)};
  host.sectors = length / host.sector_size;
  uint64_t backup_entries = host.sectors - 1 - 128 * 128 / host.sector_size;
  struct disk disk = {&host, host.sector_size, host.sectors, read_disk, write_disk, flush_disk};
  struct machine machine = {.context = &host, .disk = &disk, .print = print, .start = start};
  unsigned loaded = 0;
  for (long round = atol(argv[4]); round > 0; round--) {
    memcpy(work, pristine, length);
    host.starts = host.lines = host.writes = 0;
    damage(&host, backup_entries);
    machine.own_partition_lba = next_random(&host) % 4 == 0 ? next_random(&host) : 0;
    select_and_start(&machine, &gpt);
    if (host.starts == 0) fail("no slot was started");
    if (gpt.current != NULL) loaded++;
  }
  printf("%u of %s tables were readable\n", loaded, argv[4]);
  return 0;
}
