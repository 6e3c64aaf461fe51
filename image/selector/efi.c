/*
 * The EFI side of the selector: entry point, console, whole disk, starting a UKI. UEFI 2.10; built with gnu-efi.
 *
 * Not systemd-boot: its trial counter lives in file names on the ESP, which is FAT and cannot be renamed safely, and
 * it knows nothing of the partition that a UKI belongs to. Not GRUB: a second configuration language and a hundred
 * times the code. Of gnu-efi only the headers are used: its library would bring an allocator, its entry code changes.
 */
#include <efi.h>

#include "bytes.h"
#include "gpt.h"
#include "line.h"
#include "select.h"

#include <stddef.h>

enum {
  /* The firmware resets the machine when a UKI hangs for this long before it leaves boot services (7.5). */
  WATCHDOG_SECONDS = 300,
  /* Codes up to 0xffff belong to the firmware. */
  WATCHDOG_CODE = 0x10000,
  /* Long enough to read the console. */
  RESET_DELAY_MICROSECONDS = 10 * 1000 * 1000,
  /* Bytes; device paths of real machines have about 100. */
  MAX_PATH = 1024,
};

enum { NODE_HEADER = 4, NODE_END = 0x7f, NODE_END_ENTIRE = 0xff, NODE_MEDIA = 4, NODE_HARD_DRIVE = 1, NODE_FILE = 4 };
/* Offsets in a hard drive node, UEFI 2.10 section 10.3.5.1. */
enum { HARD_DRIVE_START = 8, HARD_DRIVE_FORMAT = 40, HARD_DRIVE_LENGTH = 42, FORMAT_GPT = 2 };

/* The last field, an address for the vendor, stays empty: a site's address would make a selector of every site, and
   what revokes a selector is its name and number. */
static const char SBAT[] __attribute__((used, section(".sbat"))) =
    "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n"
    "caisson.selector,1,Caisson,caisson-selector,1,-\n";

static EFI_GUID loaded_image_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
static EFI_GUID device_path_guid = EFI_DEVICE_PATH_PROTOCOL_GUID;
static EFI_GUID block_io_guid = EFI_BLOCK_IO_PROTOCOL_GUID;

struct firmware {
  EFI_HANDLE image;
  EFI_SYSTEM_TABLE *system;
  EFI_BLOCK_IO_PROTOCOL *block_io;
  /* Device path of the file system that this program came from, without its end node. */
  uint8_t own_path[MAX_PATH];
  uint32_t own_path_length;
};

static struct firmware firmware;
static struct gpt gpt;

/* The compiler may call these for struct copies; there is no C library here. */
void *memcpy(void *to, const void *from, size_t length) {
  for (size_t i = 0; i < length; i++) ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
  return to;
}

void *memset(void *to, int value, size_t length) {
  for (size_t i = 0; i < length; i++) ((uint8_t *)to)[i] = (uint8_t)value;
  return to;
}

static void print(void *context, const char *text) {
  struct firmware *fw = context;
  CHAR16 wide[LINE_MAX_LENGTH + 3];
  uint32_t length = 0;
  while (text[length] != 0 && length < LINE_MAX_LENGTH) {
    wide[length] = (CHAR16)text[length];
    length++;
  }
  wide[length++] = '\r';
  wide[length++] = '\n';
  wide[length] = 0;
  if (fw->system->ConOut != NULL) fw->system->ConOut->OutputString(fw->system->ConOut, wide);
}

static bool read_disk(void *context, uint64_t lba, uint32_t count, void *buffer) {
  EFI_BLOCK_IO_PROTOCOL *io = ((struct firmware *)context)->block_io;
  UINTN bytes = (UINTN)count * io->Media->BlockSize;
  return !EFI_ERROR(io->ReadBlocks(io, io->Media->MediaId, lba, bytes, buffer));
}

static bool write_disk(void *context, uint64_t lba, uint32_t count, const void *buffer) {
  EFI_BLOCK_IO_PROTOCOL *io = ((struct firmware *)context)->block_io;
  UINTN bytes = (UINTN)count * io->Media->BlockSize;
  return !EFI_ERROR(io->WriteBlocks(io, io->Media->MediaId, lba, bytes, (void *)(uintptr_t)buffer));
}

static bool flush_disk(void *context) {
  EFI_BLOCK_IO_PROTOCOL *io = ((struct firmware *)context)->block_io;
  return !EFI_ERROR(io->FlushBlocks(io));
}

static uint32_t node_length(const uint8_t *node) { return (uint32_t)node[2] | (uint32_t)node[3] << 8; }

/* Copies the device path that this program came from; false when it has none or one of an odd shape. */
static bool copy_own_path(struct firmware *fw, EFI_HANDLE device) {
  uint8_t *path = NULL;
  EFI_STATUS status = fw->system->BootServices->HandleProtocol(device, &device_path_guid, (void **)&path);
  if (EFI_ERROR(status) || path == NULL) return false;
  uint32_t length = 0;
  while (path[length] != NODE_END) {
    uint32_t node = node_length(path + length);
    if (node < NODE_HEADER || node > MAX_PATH - length - NODE_HEADER) return false;
    length += node;
  }
  copy_bytes(fw->own_path, path, length);
  fw->own_path_length = length;
  return true;
}

static void put_end_node(uint8_t *at) {
  static const uint8_t end[NODE_HEADER] = {NODE_END, NODE_END_ENTIRE, NODE_HEADER, 0};
  copy_bytes(at, end, sizeof end);
}

/*
 * Finds the whole disk: its path is that of our file system less the last node, which must be the GPT partition that
 * we came from. `own_lba` gets the first sector of that partition.
 */
static bool find_disk(struct firmware *fw, struct disk *disk, uint64_t *own_lba) {
  static uint8_t parent[MAX_PATH];
  uint32_t last = 0;
  for (uint32_t at = 0; at < fw->own_path_length; at += node_length(fw->own_path + at)) last = at;
  const uint8_t *node = fw->own_path + last;
  if (fw->own_path_length - last < HARD_DRIVE_LENGTH || node[HARD_DRIVE_FORMAT] != FORMAT_GPT) return false;
  if (node[0] != NODE_MEDIA || node[1] != NODE_HARD_DRIVE) return false;
  copy_bytes(parent, fw->own_path, last);
  put_end_node(parent + last);

  EFI_DEVICE_PATH *rest = (EFI_DEVICE_PATH *)(void *)parent;
  EFI_HANDLE handle = NULL;
  EFI_BOOT_SERVICES *services = fw->system->BootServices;
  if (EFI_ERROR(services->LocateDevicePath(&block_io_guid, &rest, &handle))) return false;
  /* Something is left of the path when only a device above the disk was found. */
  if (((const uint8_t *)rest)[0] != NODE_END) return false;
  if (EFI_ERROR(services->HandleProtocol(handle, &block_io_guid, (void **)&fw->block_io))) return false;
  EFI_BLOCK_IO_MEDIA *media = fw->block_io->Media;
  if (!media->MediaPresent || media->LogicalPartition || media->IoAlign > GPT_MAX_SECTOR) return false;
  *disk = (struct disk){
      .context = fw,
      .sector_size = media->BlockSize,
      .sectors = media->LastBlock + 1,
      .read = read_disk,
      .write = write_disk,
      .flush = flush_disk,
  };
  *own_lba = get_u64(node + HARD_DRIVE_START);
  return true;
}

static const char *status_text(EFI_STATUS status) {
  if (status == EFI_NOT_FOUND) return "not found";
  if (status == EFI_UNSUPPORTED || status == EFI_LOAD_ERROR) return "not an EFI program, or damaged";
  if (status == EFI_SECURITY_VIOLATION || status == EFI_ACCESS_DENIED) return "refused by Secure Boot";
  if (status == EFI_OUT_OF_RESOURCES) return "not enough memory";
  if (status == EFI_DEVICE_ERROR || status == EFI_VOLUME_CORRUPTED) return "the disk cannot be read";
  return "failed";
}

static void complain(struct firmware *fw, char letter, const char *what, EFI_STATUS status) {
  struct line line = line_new();
  line_text(&line, "usr-");
  line_char(&line, (char)(letter - 'A' + 'a'));
  line_text(&line, what);
  line_text(&line, status_text(status));
  line_text(&line, " (status 0x");
  line_number(&line, status, 16);
  line_char(&line, ')');
  print(fw, line.text);
}

/*
 * The path names the device as well as the file, so that systemd's stub can tell from which partition it came
 * (LoaderDevicePartUUID). Returns only when the UKI does not run.
 */
static bool start(void *context, char letter) {
  static uint8_t path[MAX_PATH + 64];
  struct firmware *fw = context;
  EFI_BOOT_SERVICES *services = fw->system->BootServices;
  CHAR16 name[] = L"\\EFI\\caisson\\usr-?.efi";
  name[sizeof name / sizeof name[0] - 6] = (CHAR16)(letter - 'A' + 'a');
  uint8_t *file = path + fw->own_path_length;
  copy_bytes(path, fw->own_path, fw->own_path_length);
  file[0] = NODE_MEDIA;
  file[1] = NODE_FILE;
  file[2] = NODE_HEADER + sizeof name;
  file[3] = 0;
  copy_bytes(file + NODE_HEADER, (const uint8_t *)name, sizeof name);
  put_end_node(file + NODE_HEADER + sizeof name);

  services->SetWatchdogTimer(WATCHDOG_SECONDS, WATCHDOG_CODE, 0, NULL);
  EFI_HANDLE uki = NULL;
  EFI_STATUS status = services->LoadImage(FALSE, fw->image, (EFI_DEVICE_PATH *)(void *)path, NULL, 0, &uki);
  if (EFI_ERROR(status)) {
    complain(fw, letter, ".efi cannot be loaded: ", status);
    /* Secure Boot may refuse an image and still hand it out. */
    if (uki != NULL) services->UnloadImage(uki);
    return false;
  }
  status = services->StartImage(uki, NULL, NULL);
  complain(fw, letter, ".efi came back instead of running: ", status);
  return false;
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system) {
  static struct disk disk;
  struct machine machine = {.context = &firmware, .print = print, .start = start};
  EFI_LOADED_IMAGE_PROTOCOL *loaded = NULL;
  firmware.image = image;
  firmware.system = system;
  EFI_STATUS status = system->BootServices->HandleProtocol(image, &loaded_image_guid, (void **)&loaded);
  if (!EFI_ERROR(status) && copy_own_path(&firmware, loaded->DeviceHandle) &&
      find_disk(&firmware, &disk, &machine.own_partition_lba)) {
    machine.disk = &disk;
  }
  select_and_start(&machine, &gpt);
  print(&firmware, "caisson: no slot could be started; the machine resets in 10 seconds");
  system->BootServices->Stall(RESET_DELAY_MICROSECONDS);
  system->RuntimeServices->ResetSystem(EfiResetCold, EFI_LOAD_ERROR, 0, NULL);
  return EFI_LOAD_ERROR;
}
