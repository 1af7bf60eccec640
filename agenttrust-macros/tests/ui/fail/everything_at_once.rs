use agenttrust::guarded;

#[guarded(efect = "read", tool = "", wait = "5", skip(pth), on_elevation = "wait")]
#[track_caller]
const fn tool(path: &str) {
    let _ = path;
}

fn main() {}
