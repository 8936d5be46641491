//! Each rule of the simulation, on workloads small enough to know every outcome.

use super::{content::PAGE_LEN, faults::Random, *};
use crate::storage::{File as _, Storage as _};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// What a disk holds.
type Files = BTreeMap<PathBuf, Vec<u8>>;

fn files(disk: &SimDisk) -> Files {
    disk.files().into_iter().map(|(path, _)| (path.clone(), disk.read(&path).unwrap())).collect()
}

/// Everything that a power cut could leave of `disk`.
fn outcomes(disk: &SimDisk, limits: CrashLimits) -> BTreeSet<Files> {
    disk.crash_states(limits).map(|survival| files(&disk.crash(&survival))).collect()
}

/// All outcomes for the file "d/f".
fn contents(disk: &SimDisk) -> BTreeSet<Option<Vec<u8>>> {
    let outcomes = outcomes(disk, CrashLimits { torn: usize::MAX, ..CrashLimits::default() });
    outcomes.into_iter().map(|files| files.get(&PathBuf::from("d/f")).cloned()).collect()
}

fn disk() -> (SimDisk, SimDir) {
    let disk = SimDisk::new();
    let dir = disk.dir("d");
    dir.create_dir().unwrap();
    (disk, dir)
}

/// With the file `f`, whose content `bytes` and name are durable.
fn disk_with(bytes: &[u8]) -> (SimDisk, SimDir, SimFile) {
    let (disk, dir) = disk();
    let file = dir.create("f").unwrap();
    file.write_at(bytes, 0).unwrap();
    file.sync().unwrap();
    dir.sync_dir().unwrap();
    (disk, dir, file)
}

/// Pages filled with each of `bytes`.
fn pages(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| [*byte; PAGE_LEN]).collect()
}

#[test]
fn what_is_synced_survives_and_nothing_else_is_possible() {
    let (disk, _, _file) = disk_with(b"content");
    assert_eq!(contents(&disk), [Some(b"content".to_vec())].into());
    assert_eq!(disk.explain(&Survival::nothing()), "all was synced\n");
}

#[test]
fn unsynced_pages_survive_independently_and_at_any_version() {
    let (disk, _, file) = disk_with(&pages(b"aa"));
    file.write_at(&pages(b"b"), 0).unwrap();
    file.write_at(&pages(b"cd"), 0).unwrap();
    let limits = CrashLimits { torn: 0, ..CrashLimits::default() };
    let found: BTreeSet<_> = outcomes(&disk, limits).into_iter().flat_map(Files::into_values).collect();
    let expected = [b"aa", b"ba", b"ca", b"ad", b"bd", b"cd"].map(|bytes| pages(bytes));
    assert_eq!(found, expected.into());
    file.sync().unwrap();
    assert_eq!(contents(&disk), [Some(pages(b"cd"))].into());
}

#[test]
fn a_page_tears_between_two_versions_in_either_direction() {
    let (disk, _, file) = disk_with(&pages(b"a"));
    file.write_at(&[b'b'; 1000], 300).unwrap();
    let torn = |from: usize, to: usize| {
        let mut bytes = pages(b"a");
        bytes[from..to].fill(b'b');
        Some(bytes)
    };
    // Bytes 300 to 1300 differ, and 512 and 1024 are between them.
    let expected =
        [torn(0, 0), torn(300, 1300), torn(300, 512), torn(512, 1300), torn(300, 1024), torn(1024, 1300)];
    assert_eq!(contents(&disk), expected.into());

    let finer = outcomes(&disk, CrashLimits { cut: 8, torn: usize::MAX, ..CrashLimits::default() });
    assert_eq!(finer.len(), 2 + 2 * (1296 / 8 - 304 / 8 + 1));
}

#[test]
fn a_tear_may_skip_versions() {
    let (disk, _, file) = disk_with(&pages(b"a"));
    file.write_at(&pages(b"b"), 0).unwrap();
    file.write_at(&pages(b"c"), 0).unwrap();
    let halves = |head: u8, tail: u8| Some([[head; 2048], [tail; 2048]].concat());
    let found = contents(&disk);
    for (head, tail) in [(b'a', b'b'), (b'b', b'a'), (b'b', b'c'), (b'c', b'b'), (b'a', b'c'), (b'c', b'a')] {
        assert!(found.contains(&halves(head, tail)));
    }
}

#[test]
fn length_and_data_survive_apart() {
    let (disk, _, file) = disk_with(b"");
    file.write_at(b"data", 0).unwrap();
    let expected = [Some(vec![]), Some(vec![0; 4]), Some(b"data".to_vec())];
    assert_eq!(contents(&disk), expected.into());

    let (disk, _, file) = disk_with(b"");
    file.allocate(8192).unwrap();
    assert_eq!(contents(&disk), [Some(vec![]), Some(vec![0; 8192])].into());
}

#[test]
fn a_cut_survives_or_not_and_never_shows_what_it_removed() {
    let (disk, _, file) = disk_with(&pages(b"ab"));
    file.truncate(4096).unwrap();
    let whole = [pages(b"ab"), [pages(b"a"), vec![0; 4096]].concat()];
    let found = contents(&disk);
    assert!(found.is_superset(&[Some(pages(b"a")), Some(whole[0].clone())].into()));
    assert!(found.iter().flatten().all(|bytes| bytes.len() == 4096 || bytes[..4096] == whole[0][..4096]));
    file.sync().unwrap();
    assert_eq!(contents(&disk), [Some(pages(b"a"))].into());

    // What grows behind a cut is zero, whether or not the cut page was ever durable.
    for synced in [false, true] {
        let (disk, _, file) = disk_with(b"");
        file.write_at(&pages(b"abc"), 0).unwrap();
        if synced {
            file.sync().unwrap();
        }
        file.truncate(100).unwrap();
        file.write_at(b"d", 8192).unwrap();
        file.sync().unwrap();
        let mut expected = vec![b'a'; 100];
        expected.resize(8192, 0);
        expected.push(b'd');
        assert_eq!(contents(&disk), [Some(expected)].into());
    }
    let (disk, _, file) = disk_with(b"content");
    disk.set_faults(Faults::new(1).fail_at(disk.calls(), Fault::Error));
    file.truncate(3).unwrap_err();
    assert_eq!(disk.read("d/f").unwrap(), b"content");
    assert_eq!(disk.explain(&Survival::nothing()), "all was synced\n");
}

#[test]
fn what_an_old_length_hides_does_not_come_back() {
    let (disk, _, file) = disk_with(b"12");
    file.write_at(b"345", 2).unwrap();
    let image = disk.crash(&Survival { versions: [0, 1].into(), others: 0, torn: None });
    assert_eq!(image.read("d/f").unwrap(), b"12");
    image.truncate("d/f", 5).unwrap();
    assert_eq!(image.read("d/f").unwrap(), b"12\0\0\0");
}

#[test]
fn a_rename_is_whole_or_not_at_all() {
    let (disk, dir, _old) = disk_with(b"old");
    let new = dir.create("tmp").unwrap();
    new.write_at(b"new", 0).unwrap();
    new.sync().unwrap();
    dir.rename("tmp", "f").unwrap();
    let file = |name: &str, bytes: &[u8]| (PathBuf::from(name), bytes.to_vec());
    let expected = [
        [file("d/f", b"old")].into(),
        [file("d/f", b"old"), file("d/tmp", b"new")].into(),
        [file("d/f", b"new")].into(),
    ];
    assert_eq!(outcomes(&disk, CrashLimits::default()), expected.into());
    dir.sync_dir().unwrap();
    assert_eq!(contents(&disk), [Some(b"new".to_vec())].into());
}

#[test]
fn a_rename_may_survive_without_the_data() {
    let (disk, dir, _old) = disk_with(b"old");
    dir.create("tmp").unwrap().write_at(b"new", 0).unwrap();
    dir.rename("tmp", "f").unwrap();
    let found = contents(&disk);
    for content in [&b"old"[..], b"", b"\0\0\0", b"new"] {
        assert!(found.contains(&Some(content.to_vec())), "{content:?} of {found:?}");
    }
    assert_eq!(found.len(), 4);
}

#[test]
fn a_removed_file_comes_back_until_the_directory_is_synced() {
    let (disk, dir, file) = disk_with(b"content");
    drop(file);
    dir.remove("f").unwrap();
    assert_eq!(disk.files(), []);
    assert_eq!(contents(&disk), [None, Some(b"content".to_vec())].into());
    assert_eq!(contents(&disk.kill()), [None, Some(b"content".to_vec())].into());
    dir.sync_dir().unwrap();
    assert_eq!(contents(&disk), [None].into());
    assert!(disk.world().nodes.is_empty());
}

#[test]
fn independent_names_survive_in_any_combination() {
    let (disk, dir) = disk();
    for name in ["a", "b", "c"] {
        dir.create(name).unwrap();
    }
    assert_eq!(outcomes(&disk, CrashLimits::default()).len(), 8);
    dir.remove("a").unwrap();
    // Of `a` there is only "no", "yes" and "yes, then removed", and the first and last look the same.
    let limits = CrashLimits { exhaustive_items: 4, ..CrashLimits::default() };
    assert_eq!(disk.crash_states(limits).count(), 3 * 4);
    assert_eq!(outcomes(&disk, limits).len(), 8);
}

#[test]
fn a_killed_process_leaves_what_it_wrote_and_no_more_durable() {
    let (disk, dir, file) = disk_with(b"old");
    file.write_at(b"new", 0).unwrap();
    let _lock = dir.lock().unwrap();
    let image = disk.kill();
    file.write_at(b"xxx", 0).unwrap();
    let _free = image.dir("d").lock().unwrap();
    assert_eq!(image.read("d/f").unwrap(), b"new");
    assert_eq!(contents(&image), [Some(b"old".to_vec()), Some(b"new".to_vec())].into());
    image.dir("d").open("f").unwrap().sync().unwrap();
    assert_eq!(contents(&image), [Some(b"new".to_vec())].into());
}

#[test]
fn links_are_one_file_in_every_image() {
    let (disk, dir, file) = disk_with(b"old");
    let fork = disk.dir("fork");
    fork.create_dir().unwrap();
    dir.link_into("f", &fork).unwrap();
    fork.sync_dir().unwrap();
    file.write_at(b"new", 0).unwrap();
    for survival in disk.crash_states(CrashLimits::default()) {
        let image = disk.crash(&survival);
        assert_eq!(image.read("d/f").unwrap(), image.read("fork/f").unwrap());
        image.dir("d").open("f").unwrap().write_at(b"one", 0).unwrap();
        assert_eq!(image.read("fork/f").unwrap(), b"one");
    }
}

#[test]
fn a_failed_sync_loses_pages_for_good_and_later_ones_succeed() {
    let mut lost = BTreeSet::new();
    for seed in 0..20 {
        let (disk, _, file) = disk_with(&pages(b"aaaa"));
        file.write_at(&pages(b"bbbb"), 0).unwrap();
        disk.set_faults(Faults::new(seed).fail_at(disk.calls(), Fault::Error));
        let error = file.sync().unwrap_err();
        assert!(error.to_string().starts_with("could not sync d/f: "), "{error}");
        file.sync().unwrap();
        assert_eq!(file.slice(0, 4 * PAGE_LEN).unwrap(), pages(b"bbbb"));
        let [content] = Vec::from_iter(contents(&disk)).try_into().unwrap();
        lost.insert(content.unwrap().chunks(PAGE_LEN).filter(|page| page[0] == b'a').count());
    }
    assert!(lost.len() > 2, "{lost:?}");
}

#[test]
fn a_length_lost_by_a_failed_sync_hides_later_data() {
    let outcomes: BTreeSet<_> = (0..20)
        .map(|seed| {
            let (disk, _, file) = disk_with(b"");
            file.write_at(&pages(b"a"), 0).unwrap();
            disk.set_faults(Faults::new(seed).fail_at(disk.calls(), Fault::Error));
            file.sync().unwrap_err();
            file.write_at(&pages(b"b"), 0).unwrap();
            file.sync().unwrap();
            let image = disk.crash(&Survival::everything());
            let content = image.read("d/f").unwrap();
            image.truncate("d/f", PAGE_LEN as u64).unwrap();
            (
                content.clone(),
                image.read("d/f").unwrap() == if content.is_empty() { pages(b"\0") } else { content },
            )
        })
        .collect();
    assert_eq!(outcomes, [(vec![], true), (pages(b"b"), true)].into());
}

#[test]
fn a_failed_directory_sync_does_a_part_and_a_later_one_the_rest() {
    let found: BTreeSet<_> = (0..20)
        .map(|seed| {
            let (disk, dir) = disk();
            dir.create("a").unwrap();
            dir.create("b").unwrap();
            disk.set_faults(Faults::new(seed).fail_at(2, Fault::Error));
            dir.sync_dir().unwrap_err();
            assert_eq!(disk.files().len(), 2);
            let after_failure = disk.crash(&Survival::nothing()).files().len();
            dir.sync_dir().unwrap();
            (after_failure, disk.crash(&Survival::nothing()).files().len())
        })
        .collect();
    assert_eq!(found, [(0, 2), (1, 2), (2, 2)].into());
}

#[test]
fn each_call_can_fail_and_then_does_nothing() {
    let (disk, dir, file) = disk_with(b"content");
    let target = dir.sibling("target".into());
    target.create_dir().unwrap();
    let before = files(&disk);
    for fault in [Fault::Error, Fault::Full] {
        let calls: [(&str, &dyn Fn() -> Result<()>); 6] = [
            ("write", &|| file.write_at(b"more", 0)),
            ("allocate", &|| file.allocate(100)),
            ("create", &|| dir.create("new").map(drop)),
            ("rename", &|| dir.rename("f", "g")),
            ("remove", &|| dir.remove("f")),
            ("link", &|| dir.link_into("f", &target)),
        ];
        for (name, call) in calls {
            let number = disk.calls();
            disk.set_faults(Faults::new(0).fail_at(number, fault));
            let error = call().unwrap_err();
            match fault {
                Fault::Full => assert!(matches!(error, Error::StorageFull { .. }), "{error}"),
                _ => assert!(matches!(error, Error::Io { op, .. } if op == name), "{error}"),
            }
            assert_eq!(files(&disk), before);
            assert!(disk.describe(number).contains(name), "{}", disk.describe(number));
        }
    }
    assert_eq!(disk.describe(0), "call 0: create d/f");
    assert_eq!(disk.describe(1), "call 1: write d/f, 7 bytes at 0");
    assert_eq!(disk.describe(99), "call 99: never made");
}

#[test]
fn a_short_call_does_a_part_and_fails() {
    let mut written = BTreeSet::new();
    for seed in 0..50 {
        let (disk, _, file) = disk_with(b"");
        let call = disk.calls();
        disk.set_faults(Faults::new(seed).fail_at(call, Fault::Short).fail_at(call + 1, Fault::Short));
        file.write_at(b"abc", 0).unwrap_err();
        let content = disk.read("d/f").unwrap();
        assert!(b"abc".starts_with(&content));
        written.insert(content.len());
        file.allocate(100).unwrap_err();
        assert!(file.len().unwrap() < 100);
    }
    assert_eq!(written, [0, 1, 2].into());
}

#[test]
fn a_stopped_process_does_nothing_more() {
    let (disk, dir, file) = disk_with(b"content");
    disk.set_faults(Faults::new(0).stop_at(disk.calls() + 1));
    file.write_at(b"C", 0).unwrap();
    file.write_at(b"X", 0).unwrap_err();
    let calls = disk.calls();
    file.sync().unwrap_err();
    file.len().unwrap_err();
    file.slice(0, 1).unwrap_err();
    dir.create_dir().unwrap_err();
    dir.lock().unwrap_err();
    dir.list().unwrap_err();
    let error = dir.open("f").unwrap_err();
    assert_eq!(error.to_string(), "could not open d/f: the simulated process is dead");
    assert_eq!(disk.calls(), calls);
    assert_eq!(disk.kill().read("d/f").unwrap(), b"Content");
    assert_eq!(disk.kill().dir("d").open("f").unwrap().len().unwrap(), 7);
}

#[test]
fn a_quota_refuses_growth_until_there_is_room() {
    let (disk, dir, file) = disk_with(b"12345");
    disk.set_quota(Some(10));
    let error = file.allocate(11).unwrap_err();
    assert!(matches!(error, Error::StorageFull { needed: 11, .. }), "{error}");
    assert_eq!(file.len().unwrap(), 5);
    file.allocate(8).unwrap();
    // As on a full disk, a write takes what is left, then fails.
    assert!(matches!(file.write_at(b"abcde", 7), Err(Error::StorageFull { .. })));
    assert_eq!(disk.read("d/f").unwrap(), b"12345\0\0abc");
    assert!(matches!(dir.create("g"), Err(Error::StorageFull { .. })));
    file.write_at(b"over", 0).unwrap();

    dir.remove("f").unwrap();
    assert_eq!(disk.used(), 10);
    drop(file);
    assert_eq!(disk.used(), 0);
    let file = dir.create("g").unwrap();
    file.allocate(10).unwrap();
    assert!(matches!(file.write_at(b"x", 10), Err(Error::StorageFull { .. })));
    disk.set_quota(Some(11));
    file.write_at(b"x", 10).unwrap();
}

#[test]
fn reads_can_be_wrong_by_a_bit_or_fail() {
    let (disk, _, file) = disk_with(&[0; 1024]);
    disk.set_faults(Faults::new(7).flip_one_in(4));
    let wrong: Vec<u32> =
        (0..200).map(|_| file.slice(0, 1024).unwrap().iter().map(|byte| byte.count_ones()).sum()).collect();
    assert!(wrong.iter().all(|bits| *bits <= 1));
    assert!((20..80).contains(&wrong.iter().sum::<u32>()), "{wrong:?}");
    disk.set_faults(Faults::default());

    disk.break_sector("d/f", 1).unwrap();
    file.read_at(&mut [0; 512], 0).unwrap();
    assert!(matches!(file.read_at(&mut [0; 513], 0), Err(Error::Io { op: "read", .. })));
    assert!(matches!(file.slice(1023, 1), Err(Error::Io { op: "read", .. })));
    assert!(disk.kill().dir("d").open("f").unwrap().slice(600, 1).is_err());
    assert!(disk.crash(&Survival::nothing()).dir("d").open("f").unwrap().slice(600, 1).is_err());
    file.write_at(&[1; 512], 512).unwrap();
    assert_eq!(file.slice(1023, 1).unwrap(), [1][..]);
}

#[test]
fn damage_is_what_it_says() {
    let disk = SimDisk::new();
    disk.write("d/f", &pages(b"abc")).unwrap();
    disk.swap_pages("d/f", 2, 0).unwrap();
    assert_eq!(disk.read("d/f").unwrap(), pages(b"cba"));
    disk.swap_pages("d/f", 1, 1).unwrap();
    disk.zero_sector("d/f", 1).unwrap();
    disk.flip_bit("d/f", 8 * 4096 + 1).unwrap();
    disk.truncate("d/f", 4097).unwrap();
    let expected = [&[b'c'; 512][..], &[0; 512], &[b'c'; 3072], &[b'b' ^ 2]].concat();
    assert_eq!(disk.read("d/f").unwrap(), expected);
    disk.copy("d/f", "e/g").unwrap();
    assert_eq!(disk.files(), [("d/f".into(), 4097), ("e/g".into(), 4097)]);
    disk.remove("d/f").unwrap();
    assert_eq!(files(&disk.crash(&Survival::nothing())), [("e/g".into(), expected)].into());

    let missing = disk.read("d/f").unwrap_err();
    assert_eq!(missing.to_string(), "no simulated file named \"d/f\"");
    for refused in [
        disk.swap_pages("e/g", 0, 1),
        disk.swap_pages("e/g", 0, u64::MAX),
        disk.flip_bit("e/g", 8 * 4097),
        disk.zero_sector("e/g", u64::MAX),
    ] {
        assert!(matches!(refused, Err(Error::Invalid { field: "offset", .. })), "{refused:?}");
    }
    assert!(matches!(disk.truncate("e/g", u64::MAX), Err(Error::TooLarge { .. })));
}

#[test]
fn a_recording_has_the_disk_after_each_call() {
    let (disk, dir) = disk();
    disk.record();
    let file = dir.create("f").unwrap();
    file.write_at(b"a", 0).unwrap();
    file.sync().unwrap();
    dir.sync_dir().unwrap();
    dir.remove("f").unwrap();
    let images = disk.images();
    let seen: Vec<_> = images.iter().map(|image| image.read("d/f").ok()).collect();
    let a = || Some(b"a".to_vec());
    assert_eq!(seen, [None, Some(vec![]), a(), a(), a(), None]);
    let left: Vec<_> = images.iter().map(|image| contents(image).len()).collect();
    assert_eq!(left, [1, 2, 4, 2, 1, 2]);
    assert!(disk.images().is_empty());
}

#[test]
fn many_items_are_sampled_with_the_telling_states_among_them() {
    let (disk, _, file) = disk_with(&pages(b"aaaaaa"));
    for (page, byte) in (0..).zip(b"bcdefg") {
        file.write_at(&pages(&[*byte]), page * PAGE_LEN as u64).unwrap();
    }
    let found: BTreeSet<_> = contents(&disk).into_iter().flatten().collect();
    let prefixes = [b"aaaaaa", b"baaaaa", b"bcaaaa", b"bcdaaa", b"bcdeaa", b"bcdefa", b"bcdefg"];
    let singles = [b"acaaaa", b"aadaaa", b"aaaeaa", b"aaaafa", b"aaaaag"];
    let holes = [b"acdefg", b"badefg", b"bcaefg", b"bcdafg", b"bcdeag"];
    for bytes in prefixes.iter().chain(&singles).chain(&holes) {
        assert!(found.contains(&pages(*bytes)), "{}", bytes.escape_ascii());
    }
}

/// A disk after random calls, on every other seed with failures among them.
fn random_workload(seed: u64) -> SimDisk {
    let (disk, dir) = disk();
    disk.set_faults(Faults::new(seed).fail_one_in(if seed.is_multiple_of(2) { 0 } else { 20 }));
    let mut random = Random::new(seed);
    let names = ["a", "b", "c"];
    for _ in 0..40 {
        let [one, other] = [names[random.below(3)], names[random.below(3)]];
        let file = dir.open(one).or_else(|_| dir.create(one));
        match (random.below(8), file) {
            (0, _) => drop(dir.rename(one, other)),
            (1, _) => drop(dir.remove(one)),
            (2, _) => drop(dir.sync_dir()),
            (3 | 4, Ok(file)) => drop(file.sync()),
            (_, Ok(file)) => {
                let (offset, len) = (random.below(3 * PAGE_LEN) as u64, random.below(PAGE_LEN));
                drop(file.write_at(&vec![random.next().to_le_bytes()[0]; len], offset));
            }
            (_, Err(_)) => {}
        }
    }
    disk
}

#[test]
fn the_same_seed_gives_the_same_states() {
    for seed in 0..50 {
        let states = || {
            let disk = random_workload(seed);
            let states = disk.crash_states(CrashLimits { seed, ..CrashLimits::default() });
            let states = states.map(|state| (disk.explain(&state), files(&disk.crash(&state))));
            states.collect::<Vec<_>>()
        };
        assert_eq!(states(), states(), "seed {seed}");
    }
}

#[test]
fn everything_is_what_programs_see_and_images_are_settled() {
    for seed in 0..200 {
        let disk = random_workload(seed);
        assert_eq!(files(&disk), files(&disk.kill()), "seed {seed}");
        let image = disk.crash(&Survival::everything());
        // A failed sync may have lost what programs still see.
        assert!(seed % 2 == 1 || files(&image) == files(&disk), "seed {seed}");
        for survival in disk.crash_states(CrashLimits { seed, ..CrashLimits::default() }) {
            let image = disk.crash(&survival);
            let again = image.crash_states(CrashLimits::default());
            let again: Vec<_> = again.map(|survival| files(&image.crash(&survival))).collect();
            assert_eq!(again, [files(&image)], "seed {seed}:\n{}", disk.explain(&survival));
        }
    }
}

#[test]
fn a_state_is_explained() {
    let (disk, dir, file) = disk_with(&pages(b"a"));
    file.write_at(&pages(b"bc"), 0).unwrap();
    dir.rename("f", "g").unwrap();
    let torn = Some(crash::Torn { item: 2, older: 0, cut: 512, tail: false });
    let survival = Survival { versions: [0, 1, 1, 0].into(), others: 0, torn };
    assert_eq!(
        disk.explain(&survival),
        "renaming of d/f to g: lost\n\
         length 8192 of d/g: version 1 of 1\n\
         page 0 of d/g: version 1 of 1, version 0 from byte 512\n\
         page 1 of d/g: lost\n"
    );
}
