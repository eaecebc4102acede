"""Names of the functions Trino has, from its documentation; DuckDB has more, which Athena would not know.

Left out are the geospatial and machine-learning functions, sketches and digests, and JSON's constructors.
"""

from __future__ import annotations

from typing import Final

_AGGREGATES = """
any_value approx_distinct approx_most_frequent approx_percentile arbitrary array_agg avg bitwise_and_agg
bitwise_or_agg bool_and bool_or checksum corr count count_if covar_pop covar_samp every geometric_mean grouping
histogram kurtosis listagg map_agg map_union max max_by min min_by multimap_agg numeric_histogram reduce_agg
regr_intercept regr_slope skewness stddev stddev_pop stddev_samp sum var_pop var_samp variance
"""
_WINDOWS = "cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number"
_COLLECTIONS = """
all_match any_match array_distinct array_except array_intersect array_join array_max array_min array_position
array_remove array_sort array_union arrays_overlap cardinality combinations contains contains_sequence element_at
filter flatten map map_concat map_entries map_filter map_from_entries map_keys map_values map_zip_with
multimap_from_entries ngrams none_match reduce repeat reverse sequence shuffle slice split_to_map split_to_multimap
transform transform_keys transform_values trim_array unnest zip zip_with
"""
_TEXT = """
char2hexint chr codepoint concat concat_ws format format_number hamming_distance length levenshtein_distance lower
lpad ltrim luhn_check normalize position regexp_count regexp_extract regexp_extract_all regexp_like regexp_position
regexp_replace regexp_split replace rpad rtrim soundex split split_part starts_with strpos substr substring
translate trim upper url_decode url_encode url_extract_fragment url_extract_host url_extract_parameter
url_extract_path url_extract_port url_extract_protocol url_extract_query uuid word_stem
"""
_BINARY = """
crc32 from_base64 from_base64url from_big_endian_32 from_big_endian_64 from_hex from_ieee754_32 from_ieee754_64
from_utf8 hmac_md5 hmac_sha1 hmac_sha256 hmac_sha512 md5 murmur3 sha1 sha256 sha512 spooky_hash_v2_32
spooky_hash_v2_64 to_base64 to_base64url to_big_endian_32 to_big_endian_64 to_hex to_ieee754_32 to_ieee754_64
to_utf8 xxhash64
"""
_TIME = """
at_timezone current_timezone date date_add date_diff date_format date_parse date_trunc day day_of_month day_of_week
day_of_year dow doy extract format_datetime from_iso8601_date from_iso8601_timestamp from_iso8601_timestamp_nanos
from_unixtime from_unixtime_nanos hour human_readable_seconds last_day_of_month millisecond minute month now
parse_datetime parse_duration quarter second timezone_hour timezone_minute to_char to_date to_iso8601
to_milliseconds to_timestamp to_unixtime week week_of_year with_timezone year year_of_week yow
"""
_NUMBERS = """
abs acos asin atan atan2 beta_cdf bit_count bitwise_and bitwise_left_shift bitwise_not bitwise_or
bitwise_right_shift bitwise_right_shift_arithmetic bitwise_xor cbrt ceil ceiling cos cosh cosine_similarity degrees e
exp floor from_base infinity inverse_beta_cdf inverse_normal_cdf is_finite is_infinite is_nan ln log log10 log2 mod
nan normal_cdf pi pow power radians rand random round sign sin sinh sqrt tan tanh to_base truncate width_bucket
wilson_interval_lower wilson_interval_upper
"""
_OTHER = """
cast coalesce greatest if json_array_contains json_array_get json_array_length json_extract json_extract_scalar
json_format json_parse json_size least nullif try try_cast typeof version
"""

TRINO: Final = frozenset(
    f"{_AGGREGATES} {_WINDOWS} {_COLLECTIONS} {_TEXT} {_BINARY} {_TIME} {_NUMBERS} {_OTHER}".split()
)

# DuckDB has something of these names, or sqlglot makes something of them, that answers differently.
_DIFFERENT = """
approx_most_frequent checksum format_datetime histogram human_readable_seconds json_format kurtosis map_union
numeric_histogram parse_datetime parse_duration regexp_position regexp_split shuffle skewness split_to_map
split_to_multimap to_char to_date to_timestamp typeof version word_stem
"""

REFUSED: Final = frozenset(_DIFFERENT.split())
