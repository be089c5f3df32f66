package engine

import (
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// backoff is how a write is retried that conflicts with another one of the same
// object: after about 10 ms, each time three times as long, 4 s in all. Requests
// without a response are sent again below the clients, see internal/resend.
var backoff = wait.Backoff{Steps: 7, Duration: 10 * time.Millisecond, Factor: 3, Jitter: 0.5}

// quotaBackoff is for what a quota refuses that has just been written: until a
// controller has counted what is used, its new limits do not count. It ends after
// about 40 s.
var quotaBackoff = wait.Backoff{Steps: 18, Duration: 20 * time.Millisecond, Factor: 1.5, Jitter: 0.1}
