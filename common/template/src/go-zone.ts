/** Where a time is shown: a name by time and an offset by time. */
export interface Zone {
  readonly name: string
  /** Seconds east of Greenwich at an instant. */
  offsetSecondsAt(epochMs: number): number
  /** Short name at an instant: CET, EDT, +03. */
  shortNameAt(epochMs: number): string
}

export const utc: Zone = { name: 'UTC', offsetSecondsAt: () => 0, shortNameAt: () => 'UTC' }

/** No locale knows all short names: each one knows those of its own countries. */
const locales = ['en-US', 'en-CA', 'en-GB', 'en-AU', 'en-NZ', 'en-ZA']

/** Short names of the tz database (standard time, and summer time where there is one) that no locale knows. */
const shortNames: Readonly<Record<string, readonly [string, string?]>> = {
  'Africa/Addis_Ababa': ['EAT'],
  'Africa/Dar_es_Salaam': ['EAT'],
  'Africa/Harare': ['CAT'],
  'Africa/Kampala': ['EAT'],
  'Africa/Khartoum': ['CAT'],
  'Africa/Kigali': ['CAT'],
  'Africa/Kinshasa': ['WAT'],
  'Africa/Lagos': ['WAT'],
  'Africa/Luanda': ['WAT'],
  'Africa/Lusaka': ['CAT'],
  'Africa/Maputo': ['CAT'],
  'Africa/Nairobi': ['EAT'],
  'Africa/Windhoek': ['CAT'],
  'America/St_Johns': ['NST', 'NDT'],
  'Asia/Calcutta': ['IST'],
  'Asia/Dubai': ['+04'],
  'Asia/Hong_Kong': ['HKT'],
  'Asia/Jakarta': ['WIB'],
  'Asia/Jayapura': ['WIT'],
  'Asia/Jerusalem': ['IST', 'IDT'],
  'Asia/Karachi': ['PKT'],
  'Asia/Kolkata': ['IST'],
  'Asia/Macau': ['CST'],
  'Asia/Makassar': ['WITA'],
  'Asia/Manila': ['PST'],
  'Asia/Muscat': ['+04'],
  'Asia/Pyongyang': ['KST'],
  'Asia/Seoul': ['KST'],
  'Asia/Shanghai': ['CST'],
  'Asia/Taipei': ['CST'],
  'Asia/Tel_Aviv': ['IST', 'IDT'],
  'Asia/Tokyo': ['JST'],
  'Europe/Moscow': ['MSK', 'MSD'],
  'Europe/Simferopol': ['MSK'],
  'Pacific/Guam': ['ChST'],
  'Pacific/Pago_Pago': ['SST'],
}

const zonesMax = 1000
const zones = new Map<string, Zone>()

/** A zone of the tz database; throws with Go's text if there is none of that name. */
export function loadZone(name: string): Zone {
  if (name === '' || name === 'UTC') return utc
  if (name === 'Local') return localZone()
  const known = zones.get(name)
  if (known !== undefined) return known
  const zone = createZone(name)
  if (zones.size < zonesMax) zones.set(name, zone)
  return zone
}

export function localZone(): Zone {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions()
  return timeZone === 'UTC' || timeZone === undefined ? { ...utc, name: 'Local' } : { ...loadZone(timeZone), name: 'Local' }
}

function createZone(name: string): Zone {
  const formats = locales.map((locale) => createFormat(locale, name, 'short'))
  const offsets = createFormat('en-US', name, 'longOffset')
  const offsetSecondsAt = (epochMs: number) => parseOffset(zonePart(offsets, epochMs))
  const shortNameAt = (epochMs: number) => {
    const named = shortNames[name]
    if (named !== undefined) return named[isSummer(offsetSecondsAt, epochMs) ? 1 : 0] ?? named[0]
    for (const format of formats) {
      const shortName = zonePart(format, epochMs)
      if (/^[A-Z]{3,5}$/.test(shortName)) return shortName
    }
    return numericName(offsetSecondsAt(epochMs))
  }
  return { name, offsetSecondsAt, shortNameAt }
}

/** Whether the clock is ahead of where it is in some other season. */
function isSummer(offsetSecondsAt: (epochMs: number) => number, epochMs: number): boolean {
  const seasonMs = 91 * 86_400_000
  return [1, 2, 3].some((seasons) => offsetSecondsAt(epochMs) > offsetSecondsAt(epochMs + seasons * seasonMs))
}

function createFormat(locale: string, timeZone: string, timeZoneName: 'short' | 'longOffset'): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat(locale, { timeZone, timeZoneName })
  } catch (error) {
    throw new Error(`unknown time zone ${timeZone}`, { cause: error })
  }
}

function zonePart(format: Intl.DateTimeFormat, epochMs: number): string {
  return format.formatToParts(epochMs).find(({ type }) => type === 'timeZoneName')?.value ?? ''
}

/** `GMT`, `GMT+05:30`, `GMT-00:01:15`. */
function parseOffset(text: string): number {
  const match = /^GMT([+-])(\d\d):?(\d\d)?:?(\d\d)?$/.exec(text)
  if (match === null) return 0
  const [, sign, hours, minutes = '0', seconds = '0'] = match
  const size = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
  return sign === '-' ? -size : size
}

/** What the tz database itself calls zones without a name: +03, -0330. */
function numericName(offsetSeconds: number): string {
  const size = Math.abs(offsetSeconds)
  const minutes = Math.floor(size / 60) % 60
  const hours = String(Math.floor(size / 3600)).padStart(2, '0')
  return (offsetSeconds < 0 ? '-' : '+') + hours + (minutes === 0 ? '' : String(minutes).padStart(2, '0'))
}
