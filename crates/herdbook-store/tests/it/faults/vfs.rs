//! A VFS of SQLite that reports each step to a [`Recording`] before it is done.
//!
//! It is a copy of the default VFS with `xOpen` and `xDelete` replaced. Files that it opens get a copy of their method table in
//! which writing, truncating and syncing are replaced. Everything else, such as locks and shared memory, is SQLite's.

#![expect(
    unsafe_code,
    reason = "SQLite knows a VFS only as C structures; this module is in tests alone"
)]

use std::collections::HashMap;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rusqlite::ffi;

use super::recording::{Op, Recording, recording_of};

/// The original default VFS, and the state of the replaced functions behind a lock.
struct Original {
    vfs: *mut ffi::sqlite3_vfs,
    files: Mutex<HashMap<usize, OpenFile>>,
    /// The replaced method tables, by the original table.
    tables: Mutex<HashMap<usize, &'static ffi::sqlite3_io_methods>>,
}

// SAFETY: SQLite never changes a VFS after it is registered, and the maps are behind locks.
unsafe impl Send for Original {}
// SAFETY: as above.
unsafe impl Sync for Original {}

struct OpenFile {
    path: PathBuf,
    methods: *const ffi::sqlite3_io_methods,
    recording: Arc<Recording>,
    /// As in SQLite's `unix` VFS, the first sync of a new journal also syncs its folder.
    syncs_folder: bool,
}

static ORIGINAL: OnceLock<Original> = OnceLock::new();

/// Makes SQLite report the changes to files in the folder of a recording. Other files are not affected.
pub(crate) fn install() {
    ORIGINAL.get_or_init(|| {
        // SAFETY: the default VFS lives as long as the process; our copy of it is leaked.
        unsafe {
            let vfs = ffi::sqlite3_vfs_find(std::ptr::null());
            let copy = Box::leak(Box::new(*vfs));
            copy.zName = c"recording".as_ptr();
            copy.xOpen = Some(open);
            copy.xDelete = Some(delete);
            assert_eq!(ffi::sqlite3_vfs_register(copy, 1), ffi::SQLITE_OK);
            Original { vfs, files: Mutex::default(), tables: Mutex::default() }
        }
    });
}

fn original() -> &'static Original {
    ORIGINAL.get().expect("replaced functions are called after `install` only")
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The path of a C name; `None` for a temporary file.
unsafe fn path_of(name: *const c_char) -> Option<PathBuf> {
    // SAFETY: SQLite passes a C string or null.
    (!name.is_null()).then(|| {
        Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes())).to_owned()
    })
}

unsafe extern "C" fn open(
    _vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let original = original();
    // SAFETY: SQLite passes what `xOpen` of the original takes; the file is as large as that one asked for.
    unsafe {
        let recorded = path_of(name).and_then(|path| Some((recording_of(&path)?, path)));
        if let Some((recording, path)) = &recorded
            && flags & ffi::SQLITE_OPEN_CREATE != 0
            && !path.exists()
            && let Err(fault) = recording.step(path, Op::Create)
        {
            (*file).pMethods = std::ptr::null();
            return fault.or(ffi::SQLITE_CANTOPEN);
        }
        let real_open = (*original.vfs).xOpen.expect("a VFS opens files");
        let code = real_open(original.vfs, name, file, flags, out_flags);
        if let Some((recording, path)) = recorded.filter(|_| code == ffi::SQLITE_OK) {
            let methods = (*file).pMethods;
            let journals = ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL;
            let syncs_folder = flags & ffi::SQLITE_OPEN_CREATE != 0 && flags & journals != 0;
            let open = OpenFile { path, methods, recording, syncs_folder };
            locked(&original.files).insert(file as usize, open);
            (*file).pMethods = *locked(&original.tables)
                .entry(methods as usize)
                .or_insert_with(|| replaced(&*methods));
        }
        code
    }
}

fn replaced(methods: &ffi::sqlite3_io_methods) -> &'static ffi::sqlite3_io_methods {
    Box::leak(Box::new(ffi::sqlite3_io_methods {
        xClose: Some(close),
        xWrite: Some(write),
        xTruncate: Some(truncate),
        xSync: Some(sync),
        ..*methods
    }))
}

unsafe extern "C" fn delete(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync_folder: c_int,
) -> c_int {
    // SAFETY: SQLite passes what `xDelete` of the original takes.
    unsafe {
        if let Some(path) = path_of(name).filter(|path| path.exists())
            && let Some(recording) = recording_of(&path)
        {
            let folder = path.parent().expect("a file is in a folder");
            let removed = recording.step(&path, Op::Remove);
            let synced = removed.and_then(|()| match sync_folder {
                0 => Ok(()),
                _ => recording.step(folder, Op::SyncFolder),
            });
            if let Err(fault) = synced {
                return fault.or(ffi::SQLITE_IOERR_DELETE);
            }
        }
        let real = (*original().vfs).xDelete.expect("a VFS deletes files");
        real(original().vfs, name, sync_folder)
    }
}

/// Records a step, and calls the original method unless the step is made to fail.
unsafe fn step(
    file: *mut ffi::sqlite3_file,
    op: Op,
    code_of_fault: c_int,
    call: impl FnOnce(&ffi::sqlite3_io_methods) -> c_int,
) -> c_int {
    let (recording, path, methods) = {
        let files = locked(&original().files);
        let open = &files[&(file as usize)];
        (Arc::clone(&open.recording), open.path.clone(), open.methods)
    };
    match recording.step(&path, op) {
        Err(fault) => fault.or(code_of_fault),
        // SAFETY: the table of the original is static.
        Ok(()) => call(unsafe { &*methods }),
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let open = locked(&original().files).remove(&(file as usize));
    let open = open.expect("a file is closed once");
    // SAFETY: the table of the original is static, the file is the one it opened.
    unsafe { ((*open.methods).xClose.expect("files close"))(file) }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    data: *const c_void,
    len: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite passes `len` bytes.
    let bytes = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), len as usize) }.to_vec();
    // SAFETY: the arguments are passed on as they came.
    unsafe {
        step(file, Op::Write { offset: offset as usize, bytes }, ffi::SQLITE_IOERR_WRITE, |real| {
            (real.xWrite.expect("files are written"))(file, data, len, offset)
        })
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, len: ffi::sqlite3_int64) -> c_int {
    // SAFETY: the arguments are passed on as they came.
    unsafe {
        step(file, Op::Truncate(len as usize), ffi::SQLITE_IOERR_TRUNCATE, |real| {
            (real.xTruncate.expect("files are truncated"))(file, len)
        })
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: the arguments are passed on as they came.
    let code = unsafe {
        step(file, Op::Sync, ffi::SQLITE_IOERR_FSYNC, |real| {
            (real.xSync.expect("files are synced"))(file, flags)
        })
    };
    let folder = {
        let mut files = locked(&original().files);
        let open = files.get_mut(&(file as usize)).expect("the file is open");
        let is_due = code == ffi::SQLITE_OK && std::mem::take(&mut open.syncs_folder);
        is_due.then(|| (Arc::clone(&open.recording), open.path.clone()))
    };
    match folder {
        Some((recording, path)) => {
            let folder = path.parent().expect("a file is in a folder");
            recording
                .step(folder, Op::SyncFolder)
                .map_or_else(|fault| fault.or(ffi::SQLITE_IOERR_DIR_FSYNC), |()| code)
        }
        None => code,
    }
}
