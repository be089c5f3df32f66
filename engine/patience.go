package engine

import "github.com/fairlead-dev/fairlead/internal/readiness"

// Patience is how long each kind of trouble may last before a wait ends with a
// failure, because the object will not become ready. For each duration 0 means
// the default and a negative value means forever. The time starts again if the
// trouble goes away in between.
//
// Its fields are named after [Diagnosis].Cause: ImagePull (default 30 s),
// ImageRefused (3 s), CrashLoop (30 s) with CrashRestarts (3), Config (15 s),
// CreateRefused (10 s; causes Quota, Limits, Admission and ServiceAccount),
// Unschedulable (2 min), Claim (1 min), ClaimRefused (5 s), Unready (forever),
// Gone (5 s), Stalled (2 s; cause Deadline, too) and Unknown (2 s). A failed Job
// or Pod and a lost claim are final and end the wait at once.
type Patience = readiness.FailurePolicy
