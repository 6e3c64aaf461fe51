#include "gpt.h"
#include "bytes.h"

#include <stddef.h>

/* Offsets in a header, UEFI 2.10 table 5.5. */
enum {
  HEADER_REVISION = 8,
  HEADER_SIZE = 12,
  HEADER_CRC = 16,
  HEADER_MY_LBA = 24,
  HEADER_OTHER_LBA = 32,
  HEADER_FIRST_USABLE = 40,
  HEADER_LAST_USABLE = 48,
  HEADER_ENTRIES_LBA = 72,
  HEADER_ENTRY_COUNT = 80,
  HEADER_ENTRY_SIZE = 84,
  HEADER_ENTRIES_CRC = 88,
  HEADER_MIN_SIZE = 92,
};

enum { PRIMARY_LBA = 1, PRIMARY_ENTRIES_LBA = 2 };

static const uint8_t SIGNATURE[8] = {'E', 'F', 'I', ' ', 'P', 'A', 'R', 'T'};

/* CRC-32 of IEEE 802.3, bit by bit: a table would be longer than what it saves on 16 KiB. */
static uint32_t crc32_add(uint32_t crc, const uint8_t *bytes, uint32_t length) {
  for (uint32_t i = 0; i < length; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
  }
  return crc;
}

static uint32_t crc32(const uint8_t *bytes, uint32_t length) { return ~crc32_add(~0u, bytes, length); }

/* The CRC of a header is computed with its own field taken as zero. */
static uint32_t header_crc(const uint8_t *header) {
  static const uint8_t zero[4];
  uint32_t size = get_u32(header + HEADER_SIZE);
  uint32_t crc = crc32_add(~0u, header, HEADER_CRC);
  crc = crc32_add(crc, zero, sizeof zero);
  return ~crc32_add(crc, header + HEADER_CRC + 4, size - HEADER_CRC - 4);
}

/* Fills the fields from the header sector; returns what is wrong with it, or NULL. */
static const char *parse_header(struct gpt_copy *copy, const struct disk *disk, uint64_t lba) {
  const uint8_t *header = copy->header;
  if (!equal_bytes(header, SIGNATURE, sizeof SIGNATURE)) return "no signature";
  if (get_u32(header + HEADER_REVISION) != 0x00010000) return "unknown revision";
  uint32_t size = get_u32(header + HEADER_SIZE);
  if (size < HEADER_MIN_SIZE || size > disk->sector_size) return "bad header size";
  if (header_crc(header) != get_u32(header + HEADER_CRC)) return "bad header CRC";
  if (get_u64(header + HEADER_MY_LBA) != lba) return "header of another place";

  copy->lba = lba;
  copy->other_lba = get_u64(header + HEADER_OTHER_LBA);
  copy->entries_lba = get_u64(header + HEADER_ENTRIES_LBA);
  copy->first_usable = get_u64(header + HEADER_FIRST_USABLE);
  copy->last_usable = get_u64(header + HEADER_LAST_USABLE);
  copy->entry_count = get_u32(header + HEADER_ENTRY_COUNT);
  copy->entry_size = get_u32(header + HEADER_ENTRY_SIZE);
  if (copy->entry_size < 128 || copy->entry_size > GPT_MAX_SECTOR) return "bad entry size";
  if ((copy->entry_size & (copy->entry_size - 1)) != 0) return "bad entry size";
  if (copy->entry_count == 0 || copy->entry_count > GPT_MAX_ARRAY / copy->entry_size) return "bad entry count";
  copy->array_sectors = (copy->entry_count * copy->entry_size + disk->sector_size - 1) / disk->sector_size;

  /* Sums cannot overflow: every term is checked to be on the disk, which has at most GPT_MAX_SECTORS. */
  if (copy->first_usable > copy->last_usable || copy->last_usable >= disk->sectors) return "bad usable range";
  if (copy->entries_lba >= disk->sectors) return "entries out of bounds";
  uint64_t end = copy->entries_lba + copy->array_sectors;
  if (lba == PRIMARY_LBA) {
    if (copy->entries_lba < PRIMARY_ENTRIES_LBA || end > copy->first_usable) return "entries out of bounds";
    if (copy->other_lba <= copy->last_usable) return "backup out of bounds";
  } else {
    if (copy->entries_lba <= copy->last_usable || end > lba) return "entries out of bounds";
    if (copy->other_lba != PRIMARY_LBA) return "primary out of bounds";
  }
  return NULL;
}

static const char *load_copy(struct gpt_copy *copy, const struct disk *disk, uint64_t lba) {
  if (!disk->read(disk->context, lba, 1, copy->header)) return "header cannot be read";
  const char *problem = parse_header(copy, disk, lba);
  if (problem != NULL) return problem;
  copy->header_valid = true;
  if (!disk->read(disk->context, copy->entries_lba, copy->array_sectors, copy->entries)) {
    return "entries cannot be read";
  }
  uint32_t crc = crc32(copy->entries, copy->entry_count * copy->entry_size);
  return crc == get_u32(copy->header + HEADER_ENTRIES_CRC) ? NULL : "bad entries CRC";
}

static bool same_table(const struct gpt_copy *a, const struct gpt_copy *b) {
  return a->entry_count == b->entry_count && a->entry_size == b->entry_size &&
         a->first_usable == b->first_usable && a->last_usable == b->last_usable &&
         equal_bytes(a->entries, b->entries, a->entry_count * a->entry_size);
}

bool gpt_load(struct gpt *gpt, const struct disk *disk) {
  gpt->current = NULL;
  gpt->copies_differ = gpt->write_failed = false;
  gpt->primary.header_valid = gpt->backup.header_valid = false;
  gpt->primary.problem = gpt->backup.problem = "disk of an unsupported kind";
  uint32_t size = disk->sector_size;
  if (size < 512 || size > GPT_MAX_SECTOR || (size & (size - 1)) != 0) return false;
  if (disk->sectors < 4 || disk->sectors > GPT_MAX_SECTORS) return false;

  gpt->primary.problem = load_copy(&gpt->primary, disk, PRIMARY_LBA);
  /* A disk that has grown keeps its backup where the primary says, until the host moves it (section 5.3.2). */
  uint64_t backup_lba = gpt->primary.header_valid ? gpt->primary.other_lba : disk->sectors - 1;
  if (backup_lba < disk->sectors) {
    gpt->backup.problem = load_copy(&gpt->backup, disk, backup_lba);
  } else {
    gpt->backup.problem = "beyond the end of the disk";
  }

  if (gpt->primary.problem == NULL) {
    gpt->current = &gpt->primary;
    gpt->copies_differ = gpt->backup.problem == NULL && !same_table(&gpt->primary, &gpt->backup);
  } else if (gpt->backup.problem == NULL) {
    gpt->current = &gpt->backup;
  }
  return gpt->current != NULL;
}

/* Makes `other` the counterpart of the current copy. False when there is no place for it. */
static bool renew_other(struct gpt *gpt, struct gpt_copy *other, const struct disk *disk) {
  const struct gpt_copy *from = gpt->current;
  uint64_t entries_lba = PRIMARY_ENTRIES_LBA;
  if (from == &gpt->primary) {
    if (from->other_lba >= disk->sectors || from->other_lba - from->last_usable <= from->array_sectors) return false;
    bool keep_place = other->problem == NULL && !gpt->copies_differ;
    entries_lba = keep_place ? other->entries_lba : from->other_lba - from->array_sectors;
  } else if (from->first_usable < PRIMARY_ENTRIES_LBA + (uint64_t)from->array_sectors) {
    return false;
  }
  copy_bytes(other->header, from->header, disk->sector_size);
  copy_bytes(other->entries, from->entries, from->array_sectors * disk->sector_size);
  put_u64(other->header + HEADER_MY_LBA, from->other_lba);
  put_u64(other->header + HEADER_OTHER_LBA, from->lba);
  put_u64(other->header + HEADER_ENTRIES_LBA, entries_lba);
  other->lba = from->other_lba;
  other->other_lba = from->lba;
  other->entries_lba = entries_lba;
  other->array_sectors = from->array_sectors;
  return true;
}

static bool write_copy(struct gpt_copy *copy, const struct disk *disk, uint32_t entries_crc) {
  put_u32(copy->header + HEADER_ENTRIES_CRC, entries_crc);
  put_u32(copy->header + HEADER_CRC, header_crc(copy->header));
  return disk->write(disk->context, copy->entries_lba, copy->array_sectors, copy->entries) &&
         disk->write(disk->context, copy->lba, 1, copy->header) && disk->flush(disk->context);
}

bool gpt_store(struct gpt *gpt, const struct disk *disk) {
  struct gpt_copy *current = gpt->current;
  struct gpt_copy *other = current == &gpt->primary ? &gpt->backup : &gpt->primary;
  if (gpt->write_failed || !renew_other(gpt, other, disk)) return false;
  uint32_t crc = crc32(current->entries, current->entry_count * current->entry_size);
  if (!write_copy(other, disk, crc) || !write_copy(current, disk, crc)) {
    gpt->write_failed = true;
    return false;
  }
  gpt->copies_differ = false;
  gpt->primary.problem = gpt->backup.problem = NULL;
  return true;
}

uint8_t *gpt_entry(struct gpt *gpt, uint32_t index) {
  return gpt->current->entries + (uint64_t)index * gpt->current->entry_size;
}

bool gpt_has_partition_at(struct gpt *gpt, uint64_t first_lba) {
  for (uint32_t i = 0; i < gpt->current->entry_count; i++) {
    if (get_u64(gpt_entry(gpt, i) + ENTRY_FIRST_LBA) == first_lba) return true;
  }
  return false;
}
