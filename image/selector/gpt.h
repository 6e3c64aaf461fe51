/*
 * The GUID partition table of one disk: both copies, read, checked, and written so that power may fail at any time.
 * UEFI 2.10 section 5.3. Nothing here knows EFI; the disk is three functions, so that the same code runs on a host.
 *
 * It refuses less than formats/gpt does in TypeScript: overlapping partitions or reserved bytes are not the boot
 * loader's concern. What it relies on (signature, place, sizes, CRCs, bounds) it checks.
 */
#ifndef CAISSON_GPT_H
#define CAISSON_GPT_H

#include <stdbool.h>
#include <stdint.h>

#define GPT_MAX_SECTOR 4096u
/* 256 entries of 128 bytes, twice what tools write; formats/gpt has the same bound. */
#define GPT_MAX_ARRAY 32768u
/* So that a byte offset fits in 63 bits with any sector size. */
#define GPT_MAX_SECTORS (1ull << 51)

/* A whole disk. Each function returns false when it failed; `count` is in sectors. */
struct disk {
  void *context;
  uint32_t sector_size;
  uint64_t sectors;
  bool (*read)(void *context, uint64_t lba, uint32_t count, void *buffer);
  bool (*write)(void *context, uint64_t lba, uint32_t count, const void *buffer);
  bool (*flush)(void *context);
};

struct gpt_copy {
  /* Whole sectors; aligned for firmware that wants its buffers so. */
  _Alignas(GPT_MAX_SECTOR) uint8_t header[GPT_MAX_SECTOR];
  uint8_t entries[GPT_MAX_ARRAY];
  /* Why this copy is not valid, or NULL. */
  const char *problem;
  bool header_valid;
  uint64_t lba, other_lba, entries_lba, first_usable, last_usable;
  uint32_t entry_count, entry_size, array_sectors;
};

struct gpt {
  struct gpt_copy primary, backup;
  /* The copy that counts; NULL when neither is valid. */
  struct gpt_copy *current;
  bool copies_differ;
  /* A write has failed half-way: what is on disk is unknown, so that one more could destroy the last valid copy. */
  bool write_failed;
};

/* Reads both copies. False when neither is valid; each copy's `problem` says why. */
bool gpt_load(struct gpt *gpt, const struct disk *disk);

/*
 * Writes both copies. The first is never the only valid one: the backup, unless the primary is the damaged copy.
 * False when anything failed, or when there is no room for a second copy.
 */
bool gpt_store(struct gpt *gpt, const struct disk *disk);

/* The bytes of an entry of the current copy; `index` is below current->entry_count. */
uint8_t *gpt_entry(struct gpt *gpt, uint32_t index);

/* Whether a partition starts at this sector. */
bool gpt_has_partition_at(struct gpt *gpt, uint64_t first_lba);

/* Offsets in an entry, UEFI 2.10 table 5.6. */
enum { ENTRY_TYPE = 0, ENTRY_FIRST_LBA = 32, ENTRY_ATTRIBUTES = 48, ENTRY_NAME = 56, ENTRY_NAME_UNITS = 36 };

#endif
