/** Where the selector and the UKIs lie on the ESP. A contract with every installed host, as the partitions are. */
import {type SlotLetter, slotUkiName} from '../gpt/slots.ts';

export const UKI_FOLDER = 'EFI/caisson';

export const ESP_PATHS = {
  selector: 'EFI/BOOT/BOOTX64.EFI',
  ukiA: ukiPath('A'),
  ukiB: ukiPath('B'),
} as const;

/** The UKI of a slot. */
export function ukiPath(letter: SlotLetter): string {
  return `${UKI_FOLDER}/${slotUkiName(letter)}`;
}
