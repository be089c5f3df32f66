package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
)

// provider replaces a cloud's controllers: it provisions, expands and deletes the
// volumes of StorageClasses with its name, and assigns addresses to Services of
// type LoadBalancer. KWOK's stages cannot: a stage only has the claim, not its
// StorageClass.
type provider struct {
	client   kubernetes.Interface
	claims   corelisters.PersistentVolumeClaimLister
	volumes  corelisters.PersistentVolumeLister
	classes  storagelisters.StorageClassLister
	services corelisters.ServiceLister
	events   record.EventRecorder
	queue    workqueue.TypedRateLimitingInterface[item]
}

// item is an object in the queue.
type item struct{ kind, namespace, name string }

// Annotations of Kubernetes' volume controller and provisioners.
const (
	claimProvisioner  = "volume.kubernetes.io/storage-provisioner"
	volumeProvisioner = "pv.kubernetes.io/provisioned-by"
)

func runProvider(ctx context.Context, kubeconfig string) error {
	rc, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	rc.QPS, rc.Burst = -1, -1
	client, err := kubernetes.NewForConfig(rc)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	core, storage := factory.Core().V1(), factory.Storage().V1()
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	p := &provider{
		client:   client,
		claims:   core.PersistentVolumeClaims().Lister(),
		volumes:  core.PersistentVolumes().Lister(),
		classes:  storage.StorageClasses().Lister(),
		services: core.Services().Lister(),
		events:   broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: provisioner}),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[item](20*time.Millisecond, 5*time.Second)),
	}
	storage.StorageClasses().Informer()
	p.watch("claim", core.PersistentVolumeClaims().Informer())
	p.watch("volume", core.PersistentVolumes().Informer())
	p.watch("service", core.Services().Informer())
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	for {
		next, shutdown := p.queue.Get()
		if shutdown {
			return nil
		}
		if err := p.reconcile(ctx, next); err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			fmt.Fprintf(os.Stderr, "%s %s/%s: %v\n", next.kind, next.namespace, next.name, err)
			p.queue.AddRateLimited(next)
		} else if err != nil {
			p.queue.AddRateLimited(next)
		} else {
			p.queue.Forget(next)
		}
		p.queue.Done(next)
	}
}

func (p *provider) watch(kind string, informer cache.SharedIndexInformer) {
	add := func(obj any) {
		if m, ok := obj.(metav1.Object); ok {
			p.queue.Add(item{kind, m.GetNamespace(), m.GetName()})
		}
	}
	informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    add,
		UpdateFunc: func(_, obj any) { add(obj) },
	})
}

func (p *provider) reconcile(ctx context.Context, next item) error {
	switch next.kind {
	case "claim":
		claim, err := p.claims.PersistentVolumeClaims(next.namespace).Get(next.name)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return p.claim(ctx, claim)
	case "volume":
		volume, err := p.volumes.Get(next.name)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return p.volume(ctx, volume)
	default:
		service, err := p.services.Services(next.namespace).Get(next.name)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return p.service(ctx, service)
	}
}

// claim provisions or expands the volume of a claim. The volume controller sets
// the provisioner's name on a claim when it is to be provisioned: with
// WaitForFirstConsumer not before a pod that uses it was scheduled.
func (p *provider) claim(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	if claim.Annotations[claimProvisioner] != provisioner || claim.DeletionTimestamp != nil {
		return nil
	}
	if claim.Spec.VolumeName == "" {
		return p.provision(ctx, claim)
	}
	if claim.Status.Phase == corev1.ClaimBound {
		return p.grow(ctx, claim)
	}
	return nil
}

func (p *provider) provision(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	refuse := func(why string) error {
		p.events.Event(claim, corev1.EventTypeWarning, "ProvisioningFailed", why)
		return errors.New(why)
	}
	if claim.Spec.StorageClassName == nil {
		return refuse("the claim names no StorageClass")
	}
	class, err := p.classes.Get(*claim.Spec.StorageClassName)
	if err != nil {
		return refuse(err.Error())
	}
	if claim.Spec.Selector != nil || claim.Spec.DataSource != nil || claim.Spec.DataSourceRef != nil {
		return refuse(provisioner + " only provisions empty volumes: a selector or a data source is not supported")
	}
	_, err = p.client.CoreV1().PersistentVolumes().Create(ctx, newVolume(claim, class), metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil // the volume controller has yet to bind it
	}
	if err != nil {
		return refuse(err.Error())
	}
	p.events.Event(claim, corev1.EventTypeNormal, "ProvisioningSucceeded", "Successfully provisioned volume pvc-"+string(claim.UID))
	return nil
}

func newVolume(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) *corev1.PersistentVolume {
	name := "pvc-" + string(claim.UID)
	policy := corev1.PersistentVolumeReclaimDelete
	if class.ReclaimPolicy != nil {
		policy = *class.ReclaimPolicy
	}
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{volumeProvisioner: provisioner}},
		Spec: corev1.PersistentVolumeSpec{
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			PersistentVolumeReclaimPolicy: policy,
			StorageClassName:              class.Name,
			MountOptions:                  class.MountOptions,
			VolumeMode:                    claim.Spec.VolumeMode,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				CSI: &corev1.CSIPersistentVolumeSource{Driver: "fairlead.dev", VolumeHandle: name},
			},
		},
	}
}

// grow expands a claim. The API server has already rejected requests that shrink
// it, or that its class does not allow.
func (p *provider) grow(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	want, have := claim.Spec.Resources.Requests[corev1.ResourceStorage], claim.Status.Capacity[corev1.ResourceStorage]
	if want.Cmp(have) <= 0 {
		return nil
	}
	volume, err := p.volumes.Get(claim.Spec.VolumeName)
	if err != nil {
		return err
	}
	if size := volume.Spec.Capacity[corev1.ResourceStorage]; size.Cmp(want) < 0 {
		volume = volume.DeepCopy()
		volume.Spec.Capacity[corev1.ResourceStorage] = want
		if _, err := p.client.CoreV1().PersistentVolumes().Update(ctx, volume, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	claim = claim.DeepCopy()
	claim.Status.Capacity[corev1.ResourceStorage] = want
	claim.Status.Conditions = nil
	if _, err := p.client.CoreV1().PersistentVolumeClaims(claim.Namespace).UpdateStatus(ctx, claim, metav1.UpdateOptions{}); err != nil {
		return err
	}
	p.events.Event(claim, corev1.EventTypeNormal, "VolumeResizeSuccessful", "Resize volume succeeded")
	return nil
}

// volume deletes a released volume if its reclaim policy is Delete.
func (p *provider) volume(ctx context.Context, volume *corev1.PersistentVolume) error {
	if volume.Annotations[volumeProvisioner] != provisioner || volume.DeletionTimestamp != nil ||
		volume.Status.Phase != corev1.VolumeReleased ||
		volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		return nil
	}
	return p.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
}

// service assigns an address to a LoadBalancer. 198.18.0.0/16 is reserved for
// benchmarks; the second half of the Service's cluster IP makes it unique.
func (p *provider) service(ctx context.Context, service *corev1.Service) error {
	wants := service.Spec.Type == corev1.ServiceTypeLoadBalancer && service.Spec.LoadBalancerClass == nil && service.DeletionTimestamp == nil
	has := len(service.Status.LoadBalancer.Ingress) > 0
	if wants == has {
		return nil
	}
	service = service.DeepCopy()
	service.Status.LoadBalancer.Ingress = nil
	if wants {
		ip := net.ParseIP(service.Spec.ClusterIP).To4()
		if ip == nil {
			return fmt.Errorf("cluster IP %q is not an IPv4 address", service.Spec.ClusterIP)
		}
		service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: net.IPv4(198, 18, ip[2], ip[3]).String()}}
	}
	_, err := p.client.CoreV1().Services(service.Namespace).UpdateStatus(ctx, service, metav1.UpdateOptions{})
	return err
}
