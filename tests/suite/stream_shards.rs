//! Splitting, merging, scaling, and listing what came of it.

use crate::stream::{SHARD_0, all, clocked, refused, refused_with, stream};
use fourfold::stream::{
    CreateStream, GetRecords, ListShards, Mode, ShardDescription, ShardFilter, Start, Status, Stream,
};
use fourfold::{Clock, Store};
use std::time::Duration;

fn id(index: u32) -> String {
    format!("shardId-{index:012}")
}

fn shards(stream: &Stream) -> Vec<ShardDescription> {
    stream.list_shards(&ListShards::default()).unwrap().shards
}

fn open(stream: &Stream) -> Vec<ShardDescription> {
    stream.list_shards(&ListShards::default().filter(ShardFilter::AtLatest)).unwrap().shards
}

#[test]
fn a_split_makes_two_of_one() {
    let (clock, store) = clocked();
    let stream = stream(&store, 2);
    stream.put("key", "before").unwrap();
    clock.advance(Duration::from_secs(10));
    stream.split_shard(SHARD_0, 1000).unwrap();
    let found = shards(&stream);
    assert_eq!(found.len(), 4);
    assert_eq!(
        (found[2].hash_key_range.clone(), found[3].hash_key_range.clone()),
        (0..=999, 1000..=(1 << 127) - 1)
    );
    for child in &found[2..] {
        assert_eq!((child.parent_shard_id, child.adjacent_parent_shard_id), (Some(found[0].shard_id), None));
        assert!(child.starting_sequence_number > found[0].starting_sequence_number);
        assert!(Some(child.starting_sequence_number) > found[0].ending_sequence_number);
        assert_eq!(child.ending_sequence_number, None);
    }
    assert_eq!(stream.summary().unwrap().open_shard_count, 3);
    assert_eq!(open(&stream).len(), 3);
}

#[test]
fn splits_that_cannot_be_are_refused() {
    let (_clock, store) = clocked();
    let stream = stream(&store, 2);
    let max = u128::MAX.to_string();
    for at in
        ["0", "1", "170141183460469231731687303715884105727", "170141183460469231731687303715884105728", &max]
    {
        refused(
            stream.split_shard_at_text(SHARD_0, at),
            "InvalidArgumentException",
            &format!(
                "NewStartingHashKey {at} used in SplitShard() on shard shardId-000000000000 in stream stream under account \
                 000000000000 is not both greater than one plus the shard's StartingHashKey 0 and less than the shard's \
                 EndingHashKey 170141183460469231731687303715884105727."
            ),
        );
    }
    refused_with(stream.split_shard_at_text(SHARD_0, "x"), "ValidationException", "'newStartingHashKey'");
    refused(
        stream.split_shard("shard-9", 5),
        "ResourceNotFoundException",
        "Could not find shard shardId-000000000009 in stream stream under account 000000000000.",
    );
    refused_with(stream.split_shard("nine", 5), "ResourceNotFoundException", "Could not find shard nine");
    stream.split_shard_at_text(SHARD_0, "2").unwrap();
    refused_with(stream.split_shard(SHARD_0, 1000), "InvalidArgumentException", "is closed");
    assert_eq!(shards(&stream).len(), 4);
}

#[test]
fn a_merge_makes_one_of_two_neighbours() {
    let (_clock, store) = clocked();
    let stream = stream(&store, 3);
    let neighbours = "are not an adjacent pair of shards eligible for merging";
    for (a, b) in [(0, 2), (1, 0), (0, 0), (2, 0)] {
        let text = format!(
            "Shards {} and {} in stream stream under account 000000000000 {neighbours}",
            id(a),
            id(b)
        );
        refused(stream.merge_shards(&id(a), &id(b)), "InvalidArgumentException", &text);
    }
    stream.merge_shards(&id(0), &id(1)).unwrap();
    let found = shards(&stream);
    assert_eq!(
        (found[3].parent_shard_id, found[3].adjacent_parent_shard_id),
        (Some(found[0].shard_id), Some(found[1].shard_id))
    );
    assert_eq!(found[3].hash_key_range, 0..=*found[1].hash_key_range.end());
    stream.merge_shards(&id(3), &id(2)).unwrap();
    assert_eq!(open(&stream)[0].hash_key_range, 0..=u128::MAX);
    refused_with(stream.merge_shards(&id(0), &id(1)), "InvalidArgumentException", "is closed");
}

#[test]
fn a_closed_shard_is_read_to_its_end_and_says_what_follows() {
    let (_clock, store) = clocked();
    let stream = stream(&store, 2);
    let (low, high) = ("low", "high");
    let put = |at: u128, data: &str| {
        let at = at.to_string();
        stream.put_record(&fourfold::stream::PutRecord::new("k", data).explicit_hash_key(&at)).unwrap()
    };
    put(0, low);
    put(u128::MAX, high);
    stream.merge_shards(&id(0), &id(1)).unwrap();
    put(0, "merged");
    for (shard, data) in [(id(0), low), (id(1), high)] {
        let latest = stream.shard_iterator(&shard, Start::Latest).unwrap();
        for (iterator, found) in
            [(stream.shard_iterator(&shard, Start::TrimHorizon).unwrap(), 1), (latest, 0)]
        {
            let page = store.streams().get_records(&GetRecords::new(&iterator)).unwrap();
            assert_eq!(page.records.len(), found);
            assert_eq!((page.next_shard_iterator, page.millis_behind_latest), (None, 0));
            assert_eq!(page.child_shards.len(), 1);
            assert_eq!(*page.child_shards[0].shard_id, id(2));
            assert_eq!(page.child_shards[0].hash_key_range, 0..=u128::MAX);
            let parents: Vec<_> =
                page.child_shards[0].parent_shards.iter().map(ToString::to_string).collect();
            assert_eq!(parents, [id(0), id(1)]);
        }
        assert_eq!(all(&stream, &shard), [data]);
    }
    assert_eq!(all(&stream, &id(2)), ["merged"]);
}

#[test]
fn scaling_ends_where_it_should_and_is_limited() {
    let (clock, store) = clocked();
    let stream = stream(&store, 4);
    let code = "LimitExceededException";
    refused(
        stream.update_shard_count(9),
        code,
        "UpdateShardCount cannot scale up over double your current open shard count. Current open shard count: 4, Target \
         shard count: 9",
    );
    refused(
        stream.update_shard_count(1),
        code,
        "UpdateShardCount cannot scale down below half your current open shard count. Current open shard count: 4, Target \
         shard count: 1",
    );
    refused_with(stream.update_shard_count(10_001), code, "cannot be greater than 10000");
    refused_with(stream.update_shard_count(0), "ValidationException", "'targetShardCount'");
    stream.update_shard_count(5).unwrap();
    assert_eq!((open(&stream).len(), shards(&stream).len()), (5, 15), "as many as the service makes");
    for target in [4, 5, 4, 5, 4, 5, 4, 5, 4] {
        clock.advance(Duration::from_hours(1));
        stream.update_shard_count(target).unwrap();
    }
    refused_with(stream.update_shard_count(5), code, "10 times");
    clock.advance(Duration::from_hours(15));
    stream.update_shard_count(5).unwrap();
    let ranges: Vec<_> = {
        let mut open = open(&stream);
        open.sort_by_key(|shard| *shard.hash_key_range.start());
        open.into_iter().map(|shard| shard.hash_key_range).collect()
    };
    assert_eq!((*ranges[0].start(), *ranges[4].end()), (0, u128::MAX));
    assert!(ranges.windows(2).all(|pair| pair[0].end() + 1 == *pair[1].start()));
}

#[test]
fn streams_on_demand_have_no_knobs() {
    let (_clock, store) = clocked();
    let stream = store.streams().create("stream", CreateStream::default().mode(Mode::OnDemand)).unwrap();
    let code = "ValidationException";
    refused_with(stream.update_shard_count(5), code, "ON_DEMAND");
    refused_with(stream.split_shard(SHARD_0, 1000), code, "ON_DEMAND");
    refused_with(stream.merge_shards(&id(0), &id(1)), code, "ON_DEMAND");
}

#[test]
fn the_account_has_room_for_so_many_shards() {
    let (_clock, store) = clocked();
    let mut dials = fourfold::stream::Dials::default();
    dials.shard_limit = 3;
    store.streams().set_dials(dials);
    let stream = stream(&store, 2);
    stream.split_shard(SHARD_0, 1000).unwrap();
    refused_with(
        stream.split_shard(&id(1), u128::MAX - 9),
        "LimitExceededException",
        "account: 3. Limit: 3.",
    );
    refused_with(stream.update_shard_count(6), "LimitExceededException", "from this request: 3.");
}

#[test]
fn filters_choose_shards_by_time_and_place() {
    let (clock, store) = clocked();
    let begin = clock.now();
    let stream = stream(&store, 1);
    let hour = Duration::from_hours(1);
    clock.advance(hour);
    stream.split_shard(SHARD_0, 1 << 127).unwrap(); // 0 closes, 1 and 2 open
    clock.advance(hour);
    stream.merge_shards(&id(1), &id(2)).unwrap(); // 1 and 2 close, 3 opens
    clock.advance(hour);
    let listed = |filter| -> Vec<String> {
        let list = stream.list_shards(&ListShards::default().filter(filter)).unwrap();
        list.shards
            .iter()
            .map(|shard| shard.shard_id.trim_start_matches("shardId-").trim_start_matches('0').into())
            .collect()
    };
    let at = |hours: u32| begin + hour * hours;
    let half = hour / 2;
    assert_eq!(listed(ShardFilter::FromTrimHorizon), ["", "1", "2", "3"]);
    assert_eq!(listed(ShardFilter::AtTrimHorizon), [""]);
    assert_eq!(listed(ShardFilter::AtLatest), ["3"]);
    assert_eq!(listed(ShardFilter::AfterShardId("shardId-000000000001")), ["2", "3"]);
    assert_eq!(listed(ShardFilter::AtTimestamp(at(0) + half)), [""]);
    assert_eq!(listed(ShardFilter::AtTimestamp(at(1))), ["", "1", "2"], "both ends belong to it");
    assert_eq!(listed(ShardFilter::AtTimestamp(at(1) + half)), ["1", "2"]);
    assert_eq!(listed(ShardFilter::AtTimestamp(at(3))), ["3"]);
    assert_eq!(listed(ShardFilter::FromTimestamp(at(1) + half)), ["1", "2", "3"]);
    refused_with(
        stream.list_shards(&ListShards::default().filter(ShardFilter::AtTimestamp(at(4)))),
        "InvalidArgumentException",
        "timestampInMillis",
    );
}

#[test]
fn lists_go_on_by_tokens_that_keep_their_filter() {
    let (clock, store) = clocked();
    let streams = store.streams();
    let stream = stream(&store, 4);
    stream.split_shard(SHARD_0, 1000).unwrap();
    let request = ListShards::default().filter(ShardFilter::AtLatest).max_results(2);
    let first = stream.list_shards(&request).unwrap();
    let token = first.next_token.unwrap();
    let second = streams.list_more_shards(&token, Some(2)).unwrap();
    let last = streams.list_more_shards(&second.next_token.unwrap(), None).unwrap();
    let ids = [first.shards, second.shards, last.shards].concat();
    let ids: Vec<_> = ids.iter().map(|shard| shard.shard_id.to_string()).collect();
    assert_eq!(ids, [id(1), id(2), id(3), id(4), id(5)]);
    assert_eq!(last.next_token, None);
    let after = stream.list_shards(&ListShards::default().exclusive_start_shard_id(&id(4))).unwrap();
    assert_eq!(after.shards.len(), 1);
    let created = stream.summary().unwrap().created;
    stream.list_shards(&ListShards::default().stream_creation_timestamp(created)).unwrap();
    let other = ListShards::default().stream_creation_timestamp(created + Duration::from_secs(1));
    refused_with(stream.list_shards(&other), "ResourceNotFoundException", "not found");
    refused_with(streams.list_more_shards("AAAA", None), "InvalidArgumentException", "NextToken");
    refused_with(streams.list_more_shards(&token, Some(0)), "ValidationException", "'maxResults'");
    clock.advance(Duration::from_millis(300_001));
    refused_with(streams.list_more_shards(&token, None), "ExpiredNextTokenException", "300000");
}

#[test]
fn descriptions_are_paged_by_shard() {
    let (_clock, store) = clocked();
    let stream = stream(&store, 250);
    let mut seen = 0;
    let mut last: Option<String> = None;
    loop {
        let page = stream.describe(last.as_deref(), None).unwrap();
        seen += page.shards.len();
        if !page.has_more_shards {
            break;
        }
        assert_eq!(page.shards.len(), 100, "by default");
        last = page.shards.last().map(|shard| shard.shard_id.to_string());
    }
    assert_eq!(seen, 250);
    assert_eq!(stream.describe(None, Some(250)).unwrap().shards.len(), 250);
    assert_eq!(stream.describe(None, None).unwrap().summary.status, Status::Active);
}

#[test]
fn lineage_outlasts_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let before = {
        let store = Store::open(&path).unwrap();
        let stream = stream(&store, 4);
        stream.update_shard_count(5).unwrap();
        stream.put("key", "data").unwrap();
        shards(&stream)
    };
    let store = Store::open(&path).unwrap();
    let stream = store.streams().stream("stream").unwrap();
    assert_eq!(shards(&stream), before);
    assert!(store.verify().unwrap().is_empty());
    store.streams().delete("stream", false).unwrap();
    assert!(store.verify().unwrap().is_empty());
}
