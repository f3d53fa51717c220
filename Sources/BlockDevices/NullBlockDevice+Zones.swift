// SPDX-License-Identifier: Apache-2.0
public import ConfigFS

/// Zones: nvmet exports such a device as a zoned namespace, with `CONFIG_BLK_DEV_ZONED`.
/// - Source: `drivers/block/null_blk/zoned.c`, `null_init_zoned_dev`, `zone_cond_store`.
extension NullBlockDevice {
  /// The largest zone append in sectors (`zone_append_max_sectors`). 2147483647 by default; cut to the zone's
  /// capacity at power-on.
  public var maximumZoneAppendSectors: Attribute<UInt32> { directory["zone_append_max_sectors"] }

  /// Usable part of a zone in MiB (`zone_capacity`). 0 by default, becomes the zone's size at power-on.
  public var zoneCapacity: Attribute<UInt64> { directory["zone_capacity"] }

  /// Whether zones are full at first (`zone_full`). False by default.
  public var startsWithFullZones: Attribute<Bool> { directory["zone_full"] }

  /// Zones that can be active (`zone_max_active`). 0 by default, no limit.
  public var maximumActiveZones: Attribute<UInt32> { directory["zone_max_active"] }

  /// Zones that can be open (`zone_max_open`). 0 by default, no limit.
  public var maximumOpenZones: Attribute<UInt32> { directory["zone_max_open"] }

  /// Conventional zones (`zone_nr_conv`). 0 by default.
  public var conventionalZones: Attribute<UInt32> { directory["zone_nr_conv"] }

  /// Size of a zone in MiB, a power of two (`zone_size`). 256 by default.
  public var zoneSize: Attribute<UInt64> { directory["zone_size"] }

  /// Whether the device has zones (`zoned`). False by default.
  public var isZoned: Attribute<Bool> { directory["zoned"] }

  /// Sets the zone of a sector to read-only, or to writable again (`zone_readonly`). EINVAL unless powered and zoned.
  public var makeZoneReadOnly: WriteOnlyAttribute<UInt64> { directory[writeOnly: "zone_readonly"] }

  /// Sets the zone of a sector to offline, or online again (`zone_offline`). EINVAL unless powered and zoned.
  public var takeZoneOffline: WriteOnlyAttribute<UInt64> { directory[writeOnly: "zone_offline"] }
}
