// Which field of INFO, CLUSTER INFO, INFO MODULES and SERVER becomes which family; a name alone means that both are the same. Names and
// types are the original's, also where a counter lacks _total or a gauge has it.

const gauges = `
  # Server
  uptime_in_seconds process_id io_threads_active hz configured_hz
  # Clients
  connected_clients blocked_clients maxclients=max_clients tracking_clients clients_in_timeout_table pubsub_clients watching_clients
  total_watched_keys total_blocking_keys total_blocking_keys_on_nokey cluster_connections
  client_longest_output_list client_biggest_input_buf
  client_recent_max_output_buffer=client_recent_max_output_buffer_bytes client_recent_max_input_buffer=client_recent_max_input_buffer_bytes
  # Memory
  allocator_active=allocator_active_bytes allocator_allocated=allocator_allocated_bytes allocator_resident=allocator_resident_bytes
  allocator_muzzy=allocator_muzzy_bytes allocator_frag_ratio allocator_frag_bytes allocator_rss_ratio allocator_rss_bytes
  used_memory=memory_used_bytes used_memory_rss=memory_used_rss_bytes used_memory_peak=memory_used_peak_bytes
  used_memory_lua=memory_used_lua_bytes used_memory_vm_eval=memory_used_vm_eval_bytes
  used_memory_scripts_eval=memory_used_scripts_eval_bytes used_memory_overhead=memory_used_overhead_bytes
  used_memory_startup=memory_used_startup_bytes used_memory_dataset=memory_used_dataset_bytes
  used_memory_vm_functions=memory_used_vm_functions_bytes used_memory_scripts=memory_used_scripts_bytes
  used_memory_functions=memory_used_functions_bytes used_memory_vm_total=memory_used_vm_total maxmemory=memory_max_bytes
  number_of_cached_scripts number_of_functions number_of_libraries
  maxmemory_reservation=memory_max_reservation_bytes maxmemory_desired_reservation=memory_max_reservation_desired_bytes
  maxfragmentationmemory_reservation=memory_max_fragmentation_reservation_bytes
  maxfragmentationmemory_desired_reservation=memory_max_fragmentation_reservation_desired_bytes
  mem_fragmentation_ratio mem_fragmentation_bytes mem_clients_slaves mem_clients_normal mem_cluster_links=mem_cluster_links_bytes
  mem_aof_buffer=mem_aof_buffer_bytes mem_replication_backlog=mem_replication_backlog_bytes
  mem_total_replication_buffers=mem_total_replication_buffers_bytes mem_not_counted_for_evict=mem_not_counted_for_eviction_bytes
  mem_overhead_db_hashtable_rehashing=mem_overhead_db_hashtable_rehashing_bytes
  lazyfree_pending_objects lazyfreed_objects active_defrag_running migrate_cached_sockets=migrate_cached_sockets_total
  active_defrag_hits=defrag_hits active_defrag_misses=defrag_misses active_defrag_key_hits=defrag_key_hits
  active_defrag_key_misses=defrag_key_misses expired_stale_perc=expired_stale_percentage
  # Persistence
  loading=loading_dump_file async_loading rdb_changes_since_last_save rdb_bgsave_in_progress
  rdb_last_save_time=rdb_last_save_timestamp_seconds rdb_last_bgsave_status rdb_last_bgsave_time_sec=rdb_last_bgsave_duration_sec
  rdb_current_bgsave_time_sec=rdb_current_bgsave_duration_sec rdb_saves=rdb_saves_total rdb_last_cow_size=rdb_last_cow_size_bytes
  rdb_last_load_keys_expired=rdb_last_load_expired_keys rdb_last_load_keys_loaded=rdb_last_load_loaded_keys
  aof_enabled aof_rewrite_in_progress aof_rewrite_scheduled aof_last_rewrite_time_sec=aof_last_rewrite_duration_sec
  aof_current_rewrite_time_sec=aof_current_rewrite_duration_sec aof_last_cow_size=aof_last_cow_size_bytes
  aof_current_size=aof_current_size_bytes aof_base_size=aof_base_size_bytes aof_pending_rewrite aof_buffer_length
  aof_rewrite_buffer_length aof_pending_bio_fsync aof_delayed_fsync aof_last_bgrewrite_status aof_last_write_status
  module_fork_in_progress module_fork_last_cow_size
  # Stats
  current_eviction_exceeded_time=current_eviction_exceeded_time_ms pubsub_channels pubsub_patterns pubsubshard_channels
  latest_fork_usec=latest_fork_seconds tracking_total_keys tracking_total_items tracking_total_prefixes
  instantaneous_eventloop_cycles_per_sec instantaneous_eventloop_duration_usec
  # Replication
  connected_slaves repl_backlog_size=replication_backlog_bytes repl_backlog_active=repl_backlog_is_active
  repl_backlog_first_byte_offset repl_backlog_histlen=repl_backlog_history_bytes master_repl_offset second_repl_offset
  slave_expires_tracked_keys slave_priority sync_full=replica_resyncs_full sync_partial_ok=replica_partial_resync_accepted
  sync_partial_err=replica_partial_resync_denied
  # Cluster
  cluster_enabled cluster_stats_messages_sent=cluster_messages_sent_total cluster_stats_messages_received=cluster_messages_received_total
  # KeyDB
  server_threads=server_threads_total long_lock_waits=long_lock_waits_total current_client_thread
  # Tile38
  tile38_aof_size=tile38_aof_size_bytes tile38_avg_item_size=tile38_avg_item_size_bytes tile38_cpus=tile38_cpus_total
  tile38_go_goroutines=tile38_go_goroutines_total tile38_heap_released=tile38_heap_released_bytes
  tile38_heap_size=tile38_heap_size_bytes tile38_http_transport tile38_in_memory_size=tile38_in_memory_size_bytes
  tile38_last_gc_time_seconds tile38_max_heap_size=tile38_max_heap_size_bytes tile38_mem_alloc=tile38_mem_alloc_bytes
  tile38_next_gc=tile38_next_gc_bytes tile38_num_collections=tile38_num_collections_total tile38_num_hooks=tile38_num_hooks_total
  tile38_num_objects=tile38_num_objects_total tile38_num_points=tile38_num_points_total tile38_pointer_size=tile38_pointer_size_bytes
  tile38_read_only tile38_go_threads=tile38_threads_total tile38_threads=tile38_threads_total
`

const counters = `
  total_connections_received=connections_received_total total_commands_processed=commands_processed_total
  rejected_connections=rejected_connections_total total_net_input_bytes=net_input_bytes_total total_net_output_bytes=net_output_bytes_total
  total_net_repl_input_bytes=net_repl_input_bytes_total total_net_repl_output_bytes=net_repl_output_bytes_total
  expired_subkeys=expired_subkeys_total expired_keys=expired_keys_total expired_time_cap_reached_count=expired_time_cap_reached_total
  expire_cycle_cpu_milliseconds=expire_cycle_cpu_time_ms_total evicted_keys=evicted_keys_total evicted_clients=evicted_clients_total
  evicted_scripts=evicted_scripts_total total_eviction_exceeded_time=eviction_exceeded_time_ms_total
  keyspace_hits=keyspace_hits_total keyspace_misses=keyspace_misses_total
  eventloop_cycles=eventloop_cycles_total eventloop_duration_sum=eventloop_duration_sum_usec_total
  eventloop_duration_cmd_sum=eventloop_duration_cmd_sum_usec_total
  used_cpu_sys=cpu_sys_seconds_total used_cpu_user=cpu_user_seconds_total used_cpu_sys_children=cpu_sys_children_seconds_total
  used_cpu_user_children=cpu_user_children_seconds_total used_cpu_sys_main_thread=cpu_sys_main_thread_seconds_total
  used_cpu_user_main_thread=cpu_user_main_thread_seconds_total used_active_time_main_thread=active_time_main_thread_seconds_total
  unexpected_error_replies total_error_replies dump_payload_sanitizations total_reads_processed total_writes_processed
  io_threaded_reads_processed io_threaded_writes_processed
  client_query_buffer_limit_disconnections=client_query_buffer_limit_disconnections_total
  client_output_buffer_limit_disconnections=client_output_buffer_limit_disconnections_total
  reply_buffer_shrinks=reply_buffer_shrinks_total reply_buffer_expands=reply_buffer_expands_total
  acl_access_denied_auth=acl_access_denied_auth_total acl_access_denied_cmd=acl_access_denied_cmd_total
  acl_access_denied_key=acl_access_denied_key_total acl_access_denied_channel=acl_access_denied_channel_total
  # KeyDB
  cached_keys=cached_keys_total storage_provider_read_hits storage_provider_read_misses
`

const moduleGauges = `
  search_number_of_indexes search_number_of_active_indexes search_number_of_active_indexes_running_queries
  search_number_of_active_indexes_indexing search_total_active_write_threads search_number_of_attributes
  search_used_memory_indexes=search_used_memory_indexes_bytes search_used_memory_vector_index=search_used_memory_vector_index_bytes
  search_smallest_memory_index=search_smallest_memory_index_bytes search_largest_memory_index=search_largest_memory_index_bytes
  search_used_memory_bytes search_global_idle search_global_total search_global_idle_user search_global_idle_internal
  search_global_total_user search_global_total_internal search_bytes_collected=search_collected_bytes
  search_gc_bytes_collected=search_gc_collected_bytes search_gc_marked_deleted_vectors search_gc_total_docs_not_collected
  search_errors_indexing_failures search_dialect_1 search_dialect_2 search_dialect_3 search_dialect_4
  search_query_queue_size search_writer_queue_size search_string_interning_store_size search_total_indexed_documents
  search_total_num_docs_in_indexes search_vector_externing_hash_extern_errors search_vector_externing_num_lru_entries
  bf_bloom_total_memory_bytes bf_bloom_num_objects bf_bloom_num_filters_across_objects bf_bloom_num_items_across_objects
  bf_bloom_capacity_across_objects json_total_memory_bytes json_num_documents
`

const moduleCounters = `
  search_total_indexing_time=search_indexing_time_ms_total search_total_cycles=search_cycles_total search_total_ms_run=search_run_ms_total
  search_gc_total_cycles=search_gc_cycles_total search_gc_total_ms_run=search_gc_run_ms_total
  search_total_queries_processed=search_queries_processed_total search_total_query_commands=search_query_commands_total
  search_total_query_execution_time_ms=search_query_execution_time_ms_total search_total_active_queries=search_active_queries_total
  search_failure_requests_count search_successful_requests_count search_hybrid_requests_count search_inline_filtering_requests_count
  search_hnsw_add_exceptions_count search_hnsw_create_exceptions_count search_hnsw_modify_exceptions_count
  search_hnsw_remove_exceptions_count search_hnsw_search_exceptions_count search_rdb_load_failure_count search_rdb_load_success_count
  search_rdb_save_failure_count search_rdb_save_success_count search_reader_resumed_count search_worker_pool_suspend_count
  search_writer_resumed_count search_writer_suspension_expired_count search_vector_externing_deferred_entry_count
  search_vector_externing_entry_count search_vector_externing_generated_value_count search_vector_externing_lru_promote_count
  bf_bloom_defrag_hits=bf_bloom_defrag_hits_total bf_bloom_defrag_misses=bf_bloom_defrag_misses_total
`

/** What a field becomes. */
export interface FieldFamily {
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
}

/** Fields of INFO, CLUSTER INFO and Tile38's SERVER. */
export const infoFields: ReadonlyMap<string, FieldFamily> = new Map([...readTable(gauges, 'gauge'), ...readTable(counters, 'counter')])

/** Fields of INFO MODULES. */
export const moduleFields: ReadonlyMap<string, FieldFamily> = new Map([
  ...readTable(moduleGauges, 'gauge'),
  ...readTable(moduleCounters, 'counter'),
])

/** Fields that belong to the machine, shown only with `include-system-metrics`. */
export const systemFields: ReadonlyMap<string, FieldFamily> = new Map(readTable('total_system_memory=total_system_memory_bytes', 'gauge'))

const otherPrefixes = ['db', 'cmdstat_', 'cluster_']

/** The family of a field that is in no table: those with certain beginnings keep their names, all others are left out. */
export function otherField(field: string): FieldFamily | undefined {
  if (!otherPrefixes.some((prefix) => field.startsWith(prefix))) return undefined
  return { name: field.replace(/[^a-zA-Z0-9_]/g, '_'), type: 'gauge', help: helpOf(field) }
}

function readTable(table: string, type: FieldFamily['type']): [string, FieldFamily][] {
  const rows = table
    .replace(/^ *#.*$/gm, '')
    .trim()
    .split(/\s+/)
  return rows.map((row) => {
    const [field = '', name = field] = row.split('=')
    return [field, { name, type, help: helpOf(field) }]
  })
}

function helpOf(field: string): string {
  return `Field ${field} of the server's own report.`
}
